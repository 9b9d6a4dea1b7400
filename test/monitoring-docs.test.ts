import { describe, expect, test } from '@jest/globals'
import { SpanKind } from '@opentelemetry/api'
import { parser } from '@prometheus-io/lezer-promql'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import promClient from 'prom-client'
import { lines } from '../src/log-observer.js'
import type { Activity } from '../src/observer.js'
import { allMeasures, prometheusName } from '../src/observers/measures.js'
import { prometheus } from '../src/observers/prometheus.js'
import { startOf } from '../src/observers/spans.js'
import { withTable } from './support-table.js'

/** As prettier writes it. */
function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((cells) => cells[column]?.length ?? 0)),
  )
  const rule = widths.map((width) => '-'.repeat(width))
  return [head, rule, ...rows]
    .map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | '))
    .map((line) => `| ${line} |`)
    .join('\n')
}

const code = (text: string): string => `\`${text}\``

const names = { provider: '<provider>', webhook: '<webhook>' }
const activities: Activity[] = [
  { kind: 'send', ...names, trackingId: '' },
  { kind: 'webhook', ...names },
  { kind: 'verify', ...names },
  { kind: 'ingest', ...names },
  {
    kind: 'listener',
    ...names,
    listener: '',
    eventId: '',
    type: 'delivered',
    trackingId: '',
    attempt: 1,
  },
]

const tables = {
  spans: tableOf(
    ['span', 'kind', 'attributes it begins with'],
    activities.map((activity) => {
      const { name, kind, attributes } = startOf(activity)
      return [
        code(name.replace('delivered', '<type>')),
        SpanKind[kind]?.toLowerCase() ?? '',
        Object.keys(attributes).map(code).join(', '),
      ]
    }),
  ),
  metrics: tableOf(
    ['metric', 'kind', 'labels', 'what it is'],
    allMeasures.map(([, measured]) => [
      `${code(measured.name)} (${code(prometheusName(measured))})`,
      `${measured.kind}, ${measured.unit.replace(/[{}]/g, '')}`,
      measured.labels.map(code).join(', '),
      measured.description,
    ]),
  ),
  lines: tableOf(
    ['message', 'level'],
    Object.values(lines).map(({ level, message }) => [message, level]),
  ),
}

const page = join(__dirname, '../docs/monitoring.md')

// UPDATE_TABLES=1 npx jest test/monitoring-docs writes them.
test.each(Object.entries(tables))(
  'the page has the table of %s as the code has it',
  (name, table) => {
    const document = readFileSync(page, 'utf8')
    const wanted = withTable(document, name, table)
    if (process.env['UPDATE_TABLES'] === '1') writeFileSync(page, wanted)
    else expect(document).toBe(wanted)
  },
)

/** The series that a scrape can have, and their labels. */
async function exposed(): Promise<Map<string, readonly string[]>> {
  const registry = new promClient.Registry()
  prometheus(promClient, { registry })
  const types = [...(await registry.metrics()).matchAll(/^# TYPE (\w+) (\w+)$/gm)]
  return new Map(
    types.flatMap(([, name = '', type]): [string, readonly string[]][] => {
      const labels = allMeasures.find(([, each]) => prometheusName(each) === name)?.[1].labels ?? []
      if (type !== 'histogram') return [[name, labels]]
      return [
        [`${name}_bucket`, [...labels, 'le']],
        [`${name}_sum`, labels],
        [`${name}_count`, labels],
      ]
    }),
  )
}

test('what other pages say to watch is exposed, with such a label and such a value', async () => {
  const known = await exposed()
  const sources = ['observer', 'event', 'errors'].map((name) =>
    readFileSync(join(__dirname, `../src/${name}.ts`), 'utf8'),
  )
  const named = ['operations', 'queues', 'stores'].flatMap((name) => [
    ...readFileSync(join(__dirname, `../docs/${name}.md`), 'utf8').matchAll(
      /`(mailtrail_(?!migrations)\w+)(?:\{(\w+)="([\w-]+)"\})?`/g,
    ),
  ])
  expect(named.length).toBeGreaterThan(8)
  for (const [, metric = '', label, value] of named) {
    expect([...known.keys()]).toContain(metric)
    if (label !== undefined) expect(known.get(metric)).toContain(label)
    if (value !== undefined) expect(sources.join('\n')).toContain(`'${value}'`)
  }
})

describe('the dashboard', () => {
  interface Panel {
    title: string
    targets: { expr: string; legendFormat: string }[]
  }
  const { panels }: { panels: Panel[] } = JSON.parse(
    readFileSync(join(__dirname, '../docs/grafana-dashboard.json'), 'utf8'),
  )
  const queries = panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }): [string, string, string] => [title, expr, legendFormat]),
  )

  /** What is named in a query, as Prometheus parses it. */
  function parsed(query: string) {
    const text = query.replaceAll('$__rate_interval', '5m')
    const named: Record<string, string[]> = { Identifier: [], LabelName: [], error: [] }
    parser.parse(text).iterate({
      enter({ name, type, from, to }) {
        named[type.isError ? 'error' : name]?.push(text.slice(from, to))
      },
    })
    const { Identifier: metrics = [], LabelName: labels = [], error: errors = [] } = named
    return { metrics, labels, errors }
  }

  test('has queries', () => expect(queries.length).toBeGreaterThan(15))

  test.each(queries)('%s asks for what is exposed: %s', async (_, expr, legend) => {
    const { metrics, labels, errors } = parsed(expr)
    const known = await exposed()
    expect(errors).toEqual([])
    expect(metrics).toHaveLength(1)
    const [metric = ''] = metrics
    expect([...known.keys()]).toContain(metric)
    const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
    for (const label of [...labels, ...shown]) expect(known.get(metric)).toContain(label)
    for (const label of shown) expect(labels).toContain(label)
  })

  test('leaves no metric out', () => {
    const asked = queries.flatMap(([, expr]) => parsed(expr).metrics)
    const all = allMeasures.map(([, measured]) => prometheusName(measured))
    expect(all.filter((name) => !asked.some((metric) => metric.startsWith(name)))).toEqual([])
  })
})
