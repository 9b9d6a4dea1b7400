import { drawCharts } from './charts.js'
import { followChanges } from './following.js'
import { switchTheme } from './theme-switch.js'

const draw = (): void => void drawCharts()

switchTheme(draw)
// The numbers are painted first, and the rest comes to them.
requestAnimationFrame(() =>
  setTimeout(() => {
    draw()
    followChanges(draw)
  }),
)
