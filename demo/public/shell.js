import { localizeTimes } from './format.js'
import { showLight } from './light.js'
import { live } from './live.js'

/** What every page shows: the light of the connection, the bell, and news as it comes in. */

/** How long a piece of news stays, in milliseconds. */
const TOAST = 6_000

const badge = document.querySelector('[data-unread]')
const toasts = document.querySelector('[data-toasts]')
const drawnAt = Number(document.body.dataset.drawnAt)

showLight(document.querySelector('[data-light]'), live)

live.on('notification', ({ text, at, unread }) => {
  showUnread(unread)
  if (at > drawnAt) toast(text)
})
live.on('notifications.read', ({ unread }) => showUnread(unread))

live.addEventListener('gap', async () => {
  const response = await fetch('/session', { cache: 'no-store' })
  if (response.ok) showUnread((await response.json()).unread)
})

localizeTimes(document)

function showUnread(count) {
  badge.textContent = count
  badge.hidden = count === 0
}

function toast(text) {
  const element = document.createElement('p')
  element.textContent = text
  toasts.prepend(element)
  setTimeout(() => element.remove(), TOAST)
}
