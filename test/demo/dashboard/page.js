/** Draws the dashboard's panels, which `picture.ts` puts into the page together with uPlot. */
/* global uPlot, panels */

const [COLUMN, ROW] = [1_384 / 24, 25]
const GAP = 8
const COLORS = ['#1f78c1', '#e0752d', '#508642', '#ba43a9', '#cca300', '#447ebc', '#bf1b00', '#6d1f62', '#0a50a1']

for (const { type, title, gridPos, unit, isStacked, lines } of panels) {
  const [width, height] = [gridPos.w * COLUMN - GAP, gridPos.h * ROW - GAP]
  const box = document.body.appendChild(document.createElement('section'))
  box.className = type
  box.style.cssText = `left:${gridPos.x * COLUMN + GAP}px; top:${gridPos.y * ROW + GAP}px; width:${width}px; height:${height}px`
  box.appendChild(document.createElement('h2')).textContent = title
  if (type === 'row') continue
  if (lines.length === 0) box.appendChild(document.createElement('p')).textContent = 'No data'
  else draw(box, { unit, isStacked, lines, width, height })
}

function draw(box, { unit, isStacked, lines, width, height }) {
  const times = [...new Set(lines.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b)
  let columns = lines.map(({ points }) => {
    const values = new Map(points)
    return times.map(at => values.get(at) ?? null)
  })
  if (isStacked)
    columns = columns.map((_, n) =>
      times.map((_, i) => columns.slice(0, n + 1).reduce((sum, of) => sum + (of[i] ?? 0), 0)),
    )
  const series = lines.map(({ label }, n) => {
    const stroke = COLORS[n % COLORS.length]
    return { label, stroke, width: 1.5, points: { size: 4, fill: stroke }, ...(isStacked && { fill: `${stroke}55` }) }
  })
  const axis = {
    font: '11px sans-serif',
    stroke: '#555',
    grid: { stroke: '#e5e5e5', width: 1 },
    ticks: { show: false },
  }
  const legend = box.appendChild(document.createElement('ul'))
  for (const { label, stroke } of series) {
    const item = legend.appendChild(document.createElement('li'))
    item.textContent = label
    item.style.setProperty('--color', stroke)
  }
  const bytes = unit === 'bytes' && { incrs: Array.from({ length: 40 }, (_, n) => 2 ** n) }
  new uPlot(
    {
      width: width - 12,
      height: height - legend.offsetHeight - 30,
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.05 : 1] } },
      axes: [
        { ...axis, size: 22, values: (_, all) => all.map(timeOf), space: 80 },
        { ...axis, size: 62, values: (_, all) => all.map(value => format(value, unit)), space: 26, ...bytes },
      ],
      // The sum of all is drawn first, so that the others lie on it.
      series: [{}, ...(isStacked ? series.toReversed() : series)],
    },
    [times, ...(isStacked ? columns.toReversed() : columns)],
    (plot, ready) => {
      legend.before(plot.root)
      ready()
    },
  )
}

function timeOf(at) {
  return new Date(at * 1_000).toTimeString().slice(0, 8)
}

/** As Grafana writes its units `s`, `bytes`, `Bps` and `short`. */
function format(value, unit) {
  if (value === 0) return unit === 's' ? '0 s' : unit === 'Bps' ? '0 B/s' : unit === 'bytes' ? '0 B' : '0'
  const [base, names] = {
    s: [1_000, { 0: 's', '-1': 'ms', '-2': 'µs' }],
    bytes: [1_024, { 0: 'B', 1: 'KiB', 2: 'MiB' }],
    Bps: [1_000, { 0: 'B/s', 1: 'kB/s', 2: 'MB/s' }],
    short: [1_000, { 0: '', 1: 'K', 2: 'Mil' }],
  }[unit]
  const step = Object.keys(names).map(Number)
  const power = Math.min(Math.max(...step), Math.max(Math.min(...step), Math.floor(Math.log(value) / Math.log(base))))
  return `${Number((value / base ** power).toPrecision(3))} ${names[power]}`.trim()
}
