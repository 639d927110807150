import uPlot from './uplot/uPlot.esm.js'
import { minuteOfDay, money, timeOfDay } from './format.js'
import { openPage } from './shell.js'

/** Ten minutes at one quote a second. */
const MOST_QUOTES = 600

const cards = [...document.querySelectorAll('[data-lot]')]
const container = document.querySelector('[data-chart]')
const dark = matchMedia('(prefers-color-scheme: dark)')

/** How far the marks of the time axis may be apart, in seconds. */
const MINUTES = [60, 120, 300, 600]

let quotes = []
let plot

readQuotes()
const live = openPage({ onLoad: readQuotes })
live.on('presence', showPresent)
live.on('quote', quote => {
  // What the server has rendered may be newer than an event that comes after it.
  if (quote.at <= quotes.at(-1).at) return
  quotes = [...quotes, quote].slice(-MOST_QUOTES)
  show(quote)
})
dark.addEventListener('change', draw)
new ResizeObserver(() => plot.setSize(size())).observe(container)

/** The server has written the last minutes into the page. */
function readQuotes() {
  quotes = JSON.parse(document.querySelector('[data-live="quotes"]').textContent)
  draw()
  show(quotes.at(-1))
}

/** Of a crowd there is the number alone. */
function showPresent({ count, members }) {
  const present = members?.map(({ info }) => info.name).join(', ') ?? `${count} people`
  document.querySelector('[data-live="present"]').textContent = present
}

function show({ at, prices }) {
  for (const card of cards) {
    const price = prices[card.dataset.lot]
    const change = changeOf(card, price)
    card.querySelector('[data-price]').textContent = money(price)
    card.querySelector('[data-change]').textContent = `${change < 0 ? '▼' : '▲'} ${Math.abs(change).toFixed(2)} %`
    card.dataset.direction = change < 0 ? 'down' : 'up'
  }
  document.querySelector('[data-as-of]').textContent = `As of ${timeOfDay(at)}`
  plot.setData(columns())
  if (plot.cursor.idx == null) plot.setLegend({ idx: quotes.length - 1 })
}

/** In per cent of the opening price. */
function changeOf(card, price) {
  const opening = Number(card.dataset.opening)
  return ((price - opening) / opening) * 100
}

/** A column of times in seconds, then one of changes for each coffee, as uPlot wants them. */
function columns() {
  return [
    quotes.map(({ at }) => at / 1_000),
    ...cards.map(card => quotes.map(({ prices }) => changeOf(card, prices[card.dataset.lot]))),
  ]
}

function draw() {
  plot?.destroy()
  const style = getComputedStyle(document.documentElement)
  const color = name => style.getPropertyValue(name).trim()
  const axis = { stroke: color('--muted'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false } }
  const series = cards.map((card, index) => ({
    label: card.querySelector('h2').textContent,
    stroke: color(`--series-${index + 1}`),
    width: 2,
    points: { show: false },
    value: (_, value) => (value == null ? '–' : `${value.toFixed(2)} %`),
  }))
  const options = {
    ...size(),
    series: [{ label: 'Time', value: (_, at) => (at == null ? '–' : timeOfDay(at * 1_000)) }, ...series],
    axes: [
      { ...axis, size: 34, space: 80, incrs: MINUTES, values: (_, ticks) => ticks.map(at => minuteOfDay(at * 1_000)) },
      { ...axis, size: 56, values: (_, ticks) => ticks.map(tick => `${tick.toFixed(1)} %`) },
    ],
  }
  plot = new uPlot(options, columns(), container)
}

function size() {
  return { width: container.clientWidth, height: Math.max(220, Math.min(380, container.clientWidth * 0.5)) }
}
