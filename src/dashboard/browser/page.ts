import { drawCharts } from './charts.js'
import { followChanges } from './following.js'
import { switchTheme } from './theme-switch.js'

switchTheme(drawCharts)
drawCharts()
followChanges(drawCharts)
