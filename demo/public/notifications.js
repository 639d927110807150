import { showMoment } from './format.js'
import { openPage, showUnread } from './shell.js'

const read = document.querySelector('[data-read-all]')
const template = document.querySelector('#notification')

const live = openPage()
live.on('notification', note => {
  const item = itemOf(note.id) ?? template.content.firstElementChild.cloneNode(true)
  item.dataset.notification = note.id
  item.dataset.read = note.read
  item.querySelector('[data-field="text"]').textContent = note.text
  showMoment(item.querySelector('[data-field="at"]'), note.at)
  list().prepend(item)
  document.querySelector('[data-live="empty"]').hidden = true
})
live.on('notifications.read', showRead)

read.addEventListener('submit', event => {
  event.preventDefault()
  // What comes meanwhile is newer than what has been read.
  live.mine(markAllRead()).catch(reportError)
})

async function markAllRead() {
  const response = await fetch(read.action, { method: 'POST', headers: { Accept: 'application/json' } })
  if (!response.ok) throw new Error(`nothing was marked: status ${response.status}`)
  const { unread } = await response.json()
  showRead()
  showUnread(unread)
  return response
}

function showRead() {
  for (const item of list().children) item.dataset.read = 'true'
}

function list() {
  return document.querySelector('[data-live="notifications"]')
}

/** What the server has rendered may be newer than an event that comes after it. */
function itemOf(id) {
  return list().querySelector(`[data-notification="${CSS.escape(id)}"]`)
}
