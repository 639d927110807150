import { localizeTimes } from './format.js'
import { openLive } from './live.js'

/** How long a piece of news stays, in milliseconds. */
const TOAST = 6_000

const toasts = document.querySelector('[data-toasts]')

/** Opens the page's stream, and shows what every page shows: the light of the connection, the bell, and news as it comes in. */
export function openPage(options) {
  localizeTimes(document)
  const live = openLive(options)
  live.on('notification', ({ text, unread }) => {
    showUnread(unread)
    toast(text)
  })
  live.on('notifications.read', ({ unread }) => showUnread(unread))
  return live
}

export function showUnread(count) {
  const badge = document.querySelector('[data-live="unread"]')
  badge.textContent = count
  badge.hidden = count === 0
}

function toast(text) {
  const element = document.createElement('p')
  element.textContent = text
  toasts.prepend(element)
  setTimeout(() => element.remove(), TOAST)
}
