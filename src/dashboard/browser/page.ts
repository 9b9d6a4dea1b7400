// What is read is painted first, and the rest is loaded and comes to it.
requestAnimationFrame(() => setTimeout(() => void start()))

async function start(): Promise<void> {
  const [{ switchTheme }, { drawCharts }, { followChanges }] = await Promise.all([
    import('./theme-switch.js'),
    import('./charts.js'),
    import('./following.js'),
  ])
  const draw = (): void => void drawCharts()
  switchTheme(draw)
  draw()
  followChanges(draw)
}
