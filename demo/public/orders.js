import { money, showMoment } from './format.js'
import { live } from './live.js'
import './shell.js'

const table = document.querySelector('[data-live="orders"]')
const template = document.querySelector('#order-row')

live.on('order.created', show)
live.on('order.updated', show)
live.addEventListener('gap', () => location.reload())

/** Puts an order into the table. An event may tell what the page knows already, or something older. */
function show(order) {
  const known = table.querySelector(`[data-order="${CSS.escape(order.id)}"]`)
  if (known && Number(known.dataset.version) >= order.version) return
  const row = known ?? template.content.firstElementChild.cloneNode(true)
  fill(row, order)
  if (!known) place(row, order)
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

/** Newest first; what is replayed may be older than what is there. */
function place(row, order) {
  const older = [...table.rows].find(other => Number(other.dataset.placedAt) < order.placedAt)
  table.insertBefore(row, older ?? null)
  document.querySelector('.empty').hidden = true
}

function highlight(row) {
  row.classList.remove('changed')
  requestAnimationFrame(() => row.classList.add('changed'))
}
