import { init } from 'echarts'
import { contenders } from '../contenders/index.ts'
import type { Results } from '../run.ts'
import type { Metric, Workload } from '../workload.ts'
import { heading } from './heading.ts'
import { rounded } from './rounded.ts'

/** What a chart has room for. */
const PANELS = 3
/** The metrics of a workload that has more. */
const PRINCIPAL: Readonly<Record<string, readonly string[]>> = {
  opening: ['cpu', 'rate', 'at15000'],
  crowd: ['memory', 'servers', 'p99'],
  'compression-json': ['bytes50', 'bytes2000', 'cpu2000'],
  'compression-html': ['bytes50', 'bytes2000', 'cpu2000'],
  'compression-tokens': ['bytes50', 'bytes2000', 'cpu2000'],
}
/** The contenders that are this library. */
const OURS: ReadonlySet<string> = new Set([
  'memory',
  'gzip',
  'redis',
  'session',
  'session-redis',
  'token',
  'https',
  'http2-1',
  'http2-10',
  'http2-100',
])

const [WIDTH, NAMES, HEAD, ROW] = [860, 200, 50, 26]
/** Beside the longest bar, for its number. */
const NUMBER = 72

// A picture on GitHub does not know whether the page is light or dark: nothing is behind it, and each colour is far
// enough from white and from black.
const COLORS = { text: '#768390', ours: '#2f81f7', others: '#8f98a3', axis: '#8f98a366' }
const FONT = 'system-ui, Helvetica, Arial, sans-serif'

// A picture in a page is not pointed at, and the names of classes are others each time.
const FOR_POINTERS = / (?:class|ecmeta_\w+|pointer-events)="[^"]*"|<style[^>]*>.*?<\/style>\n?/gs

/** An SVG of a workload's principal metrics side by side: a bar for each contender, all from zero. */
export function chart(workload: Workload, results: Results): string {
  const taking = contenders.filter(({ name }) => results.has(name))
  const metrics = principal(workload)
  const names = taking.map(({ title }) => title)
  const panel = (WIDTH - NAMES) / metrics.length
  const left = (i: number) => NAMES + i * panel
  const height = HEAD + taking.length * ROW + 6
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  drawing.setOption({
    animation: false,
    textStyle: { fontFamily: FONT },
    title: metrics.map((metric, i) => ({
      left: left(i),
      top: 4,
      padding: 0,
      itemGap: 4,
      text: heading(metric),
      subtext: isRate(metric) ? 'more is better' : 'less is better',
      textStyle: { color: COLORS.text, fontSize: 13, fontFamily: FONT },
      subtextStyle: { color: COLORS.text, fontSize: 11, fontFamily: FONT },
    })),
    grid: metrics.map((_, i) => ({
      left: left(i),
      width: panel - NUMBER,
      top: HEAD,
      height: taking.length * ROW,
    })),
    xAxis: metrics.map(({ key }, i) => ({
      type: 'value',
      gridIndex: i,
      min: 0,
      // The longest bar takes the whole width.
      max: Math.max(...taking.map(({ name }) => valueOf(results, name, key) ?? 0)) || 1,
      show: false,
    })),
    yAxis: metrics.map((_, i) => ({
      type: 'category',
      gridIndex: i,
      data: names,
      inverse: true,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: COLORS.axis } },
      axisLabel: {
        show: i === 0,
        interval: 0,
        fontSize: 13,
        fontFamily: FONT,
        margin: 10,
        color: (_: unknown, index: number) => colorOf(taking[index]?.name, COLORS.text),
      },
    })),
    series: metrics.map(({ key }, i) => ({
      type: 'bar',
      silent: true,
      xAxisIndex: i,
      yAxisIndex: i,
      barWidth: 14,
      data: taking.map(({ name }) => ({
        value: valueOf(results, name, key) ?? '-',
        itemStyle: { color: colorOf(name, COLORS.others), borderRadius: [0, 2, 2, 0] },
        label: { color: colorOf(name, COLORS.text) },
      })),
      label: {
        show: true,
        position: 'right',
        fontSize: 12,
        fontFamily: FONT,
        formatter: ({ value }: { value: unknown }) => rounded(Number(value)),
      },
    })),
  })
  const svg = drawing.renderToSVGString()
  drawing.dispose()
  return `${svg.replaceAll(FOR_POINTERS, '')}\n`
}

function principal({ name, metrics }: Workload): readonly Metric[] {
  const keys = PRINCIPAL[name]
  return keys === undefined ? metrics.slice(0, PANELS) : metrics.filter(({ key }) => keys.includes(key))
}

function isRate({ unit }: Metric): boolean {
  return unit.startsWith('/')
}

/** `undefined` where it was not measured. */
function valueOf(results: Results, contender: string, key: string): number | undefined {
  const value = results.get(contender)?.[key]
  return value !== undefined && Number.isFinite(value) ? value : undefined
}

function colorOf(contender: string | undefined, others: string): string {
  return contender !== undefined && OURS.has(contender) ? COLORS.ours : others
}
