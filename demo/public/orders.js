import { money, showMoment } from './format.js'
import { openPage } from './shell.js'

const form = document.querySelector('[data-place]')
const error = document.querySelector('[data-error]')
const template = document.querySelector('#order-row')

const live = openPage()
live.on('order.created', show)
live.on('order.updated', show)

form.addEventListener('submit', event => {
  event.preventDefault()
  // What comes meanwhile waits until the order is in the table; its own event is not told.
  live.mine(place(new URLSearchParams(new FormData(form)))).catch(failure => say(failure.message))
})

async function place(body) {
  const response = await fetch(form.action, { method: 'POST', headers: { Accept: 'application/json' }, body })
  if (response.ok) show(await response.json())
  say(response.ok ? '' : await response.text())
  return response
}

/** Puts an order into the table. What the server has rendered may be newer than an event that comes after it. */
function show(order) {
  const table = document.querySelector('[data-live="orders"]')
  const known = table.querySelector(`[data-order="${CSS.escape(order.id)}"]`)
  if (known && Number(known.dataset.version) >= order.version) return
  const row = known ?? template.content.firstElementChild.cloneNode(true)
  fill(row, order)
  if (!known) insert(table, row, order)
  highlight(row)
}

function fill(row, order) {
  const part = name => row.querySelector(`[data-field="${name}"]`)
  row.dataset.order = order.id
  row.dataset.version = order.version
  row.dataset.placedAt = order.placedAt
  for (const name of ['id', 'lot', 'bags', 'status']) part(name).textContent = order[name]
  part('total').textContent = money(order.total)
  part('status').dataset.status = order.status
  showMoment(part('updatedAt'), order.updatedAt)
}

/** Newest first; the response to one's own order may come after another order. */
function insert(table, row, order) {
  const older = [...table.rows].find(other => Number(other.dataset.placedAt) < order.placedAt)
  table.insertBefore(row, older ?? null)
  document.querySelector('[data-live="empty"]').hidden = true
}

function highlight(row) {
  row.classList.remove('changed')
  requestAnimationFrame(() => row.classList.add('changed'))
}

function say(text) {
  error.textContent = text
  error.hidden = text === ''
}
