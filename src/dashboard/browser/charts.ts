import type uPlotClass from 'uplot'

// There once it is loaded, by a script tag of its own.
declare const uPlot: typeof uPlotClass

interface ChartContent {
  times: number[]
  series: { title: string; color: string; values: number[] }[]
}

const height = 220

/** Charts by the element that they are drawn into. */
const drawn = new Map<Element, uPlotClass>()

const resizing = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    drawn.get(target)?.setSize({ width: target.clientWidth, height })
  }
})

let library: Promise<void> | undefined

/** Only where there is something to draw. */
function loadLibrary(): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script')
    script.src = document.querySelector<HTMLElement>('main')?.dataset['chartsBy'] ?? ''
    script.addEventListener('load', () => resolve())
    script.addEventListener('error', reject)
    document.head.append(script)
  })
}

/** Draws every chart of the page, again where it is drawn already: its colours may have changed. */
export async function drawCharts(): Promise<void> {
  if (!document.querySelector('[data-chart]')) return
  await (library ??= loadLibrary())
  for (const [element, chart] of drawn) {
    chart.destroy()
    resizing.unobserve(element)
  }
  drawn.clear()
  for (const element of document.querySelectorAll<HTMLElement>('[data-chart]')) {
    const content = JSON.parse(element.dataset['chart'] ?? '') as ChartContent
    drawn.set(element, draw(element, content))
    resizing.observe(element)
  }
}

function draw(element: HTMLElement, { times, series }: ChartContent): uPlotClass {
  const style = getComputedStyle(element)
  const color = (name: string): string => resolved(element, style.getPropertyValue(`--${name}`))
  const axis = {
    stroke: color('muted'),
    grid: { stroke: color('line'), width: 1 },
    ticks: { stroke: color('line'), width: 1 },
    font: '12px system-ui, sans-serif',
  }
  const days = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', timeZone: 'UTC' })
  const numbers = new Intl.NumberFormat('en')
  const short = new Intl.NumberFormat('en', { notation: 'compact' })
  // The last day is not over: fewer messages on it are no fall.
  const dayOf = (seconds: number): string =>
    seconds === times.at(-1) ? 'today' : days.format(new Date(seconds * 1000))
  // So no line leads down to it.
  const beforeToday: uPlotClass.Series.GapsRefiner = (chart, _index, _first, last, gaps) => {
    const [from, to] = times.slice(-2)
    if (from === undefined || to === undefined || last < times.length - 1) return gaps
    return [...gaps, [chart.valToPos(from, 'x', true), chart.valToPos(to, 'x', true)]]
  }
  return new uPlot(
    {
      width: element.clientWidth,
      height,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      cursor: { y: false, points: { size: 7 } },
      scales: {
        // A single day has no width of its own.
        x: {
          range: (_chart, first, last) =>
            first < last ? [first, last] : [first - 43_200, last + 43_200],
        },
        y: { range: (_chart, _least, most) => [0, Math.max(most * 1.1, 4)] },
      },
      axes: [
        {
          ...axis,
          space: 60,
          // Whole days alone: what is counted is counted by them.
          incrs: [1, 2, 3, 5, 7, 14, 28].map((count) => count * 24 * 3600),
          values: (_chart, splits) => splits.map(dayOf),
        },
        {
          ...axis,
          size: 48,
          values: (_chart, splits) => splits.map((value) => short.format(value)),
        },
      ],
      series: [
        { label: 'Day', value: (_chart, value) => (value === null ? '–' : dayOf(value)) },
        ...series.map(({ title, color: name }) => ({
          label: title,
          stroke: color(name),
          width: 2,
          points: { show: true, size: 6, fill: color(name) },
          gaps: beforeToday,
          value: (_chart: uPlotClass, value: number | null) =>
            value === null ? '–' : numbers.format(value),
        })),
      ],
    },
    [times, ...series.map(({ values }) => values)],
    element,
  )
}

/** A colour as a canvas takes it: it knows nothing of light-dark(). */
function resolved(element: HTMLElement, color: string): string {
  const probe = document.createElement('span')
  probe.style.color = color
  element.append(probe)
  const { color: result } = getComputedStyle(probe)
  probe.remove()
  return result
}
