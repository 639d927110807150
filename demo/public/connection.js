import { timeOfDay } from './format.js'
import { openPage } from './shell.js'

/** How many lines a log keeps. */
const LOGGED = 30

/** All that the stream may bring: the site's events, and what the library says itself. */
const NAMES = ['order.created', 'order.updated', 'notification', 'notifications.read', 'cursor', 'gap', 'goaway']

const [states, events] = ['states', 'events'].map(name => document.querySelector(`[data-log="${name}"]`))
const counts = { received: 0, reconnects: -1, gaps: 0 }

const live = openPage({
  onState(state, reason) {
    if (state === 'open') counts.reconnects++
    log(states, state, reason)
    showFacts({ state, reason, reconnects: Math.max(0, counts.reconnects) })
  },
})
for (const name of NAMES) {
  live.on(name, (data, { id }) => {
    counts.received++
    if (name === 'gap') counts.gaps++
    if (name === 'cursor') showFacts({ caughtUp: timeOfDay(Date.now()) })
    log(events, name, data === undefined ? '' : JSON.stringify(data), id)
    showFacts({ received: counts.received, gaps: counts.gaps, lastEventId: id })
  })
}

document.querySelector('[data-cut]').addEventListener('submit', async event => {
  event.preventDefault()
  await fetch(event.target.action, { method: 'POST' })
})

function showFacts(facts) {
  for (const [name, value] of Object.entries(facts)) {
    document.querySelector(`[data-fact="${name}"]`).textContent = value
  }
}

function log(list, name, text, id = '') {
  const line = document.createElement('li')
  line.dataset.name = name
  line.append(cell('time', timeOfDay(Date.now())), cell('strong', name), cell('code', text), cell('small', id))
  list.prepend(line)
  if (list.children.length > LOGGED) list.lastElementChild.remove()
}

function cell(tag, text) {
  const element = document.createElement(tag)
  element.textContent = text
  return element
}
