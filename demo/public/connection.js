import { timeOfDay } from './format.js'
import { live } from './live.js'
import './shell.js'

/** How many events the log keeps. */
const LOGGED = 30

/** What the numbers of `EventSource.readyState` mean. */
const STATES = { connecting: '0 · connecting', open: '1 · open', closed: '2 · closed' }

const log = document.querySelector('[data-log]')

live.addEventListener('state', show)
live.addEventListener('received', ({ detail: { name, data, id } }) => {
  const line = document.createElement('li')
  line.dataset.name = name
  line.append(
    cell('time', timeOfDay(Date.now())),
    cell('strong', name),
    cell('code', describe(data)),
    cell('small', id),
  )
  log.prepend(line)
  if (log.children.length > LOGGED) log.lastElementChild.remove()
})
// Its handlers only count; what they are told of is listed above.
for (const name of ['order.created', 'order.updated', 'quote']) live.on(name, () => undefined)

document.querySelector('[data-renew]').addEventListener('click', () => live.renew())
document.querySelector('[data-cut]').addEventListener('submit', async event => {
  event.preventDefault()
  await fetch(event.target.action, { method: 'POST' })
})

setInterval(show, 1_000)
show()

function show() {
  const { state, opened, received, gaps, lastEventId, caughtUp, heartbeat } = live.connection
  const facts = {
    state: STATES[state],
    received,
    reconnects: Math.max(0, opened - 1),
    gaps,
    lastEventId: lastEventId || '–',
    caughtUp: caughtUp ? timeOfDay(caughtUp) : '–',
    heartbeat: heartbeat ? `${Math.round((Date.now() - heartbeat) / 1_000)} s ago` : '–',
  }
  for (const [name, value] of Object.entries(facts)) {
    document.querySelector(`[data-fact="${name}"]`).textContent = value
  }
}

function cell(tag, text) {
  const element = document.createElement(tag)
  element.textContent = text
  return element
}

function describe(data) {
  return data === undefined ? '' : JSON.stringify(data)
}
