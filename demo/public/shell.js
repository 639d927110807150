import { localizeTimes } from './format.js'
import { live } from './live.js'

/** What every page shows: the light of the connection, the bell, and news as it comes in. */

const WORDS = { connecting: 'Connecting', open: 'Live', closed: 'Offline' }

/** How long a piece of news stays, in milliseconds. */
const TOAST = 6_000

const light = document.querySelector('[data-light]')
const badge = document.querySelector('[data-unread]')
const toasts = document.querySelector('[data-toasts]')
const drawnAt = Number(document.body.dataset.drawnAt)

live.addEventListener('state', showState)
showState()

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

function showState() {
  const { state } = live.connection
  light.dataset.state = state
  light.querySelector('[data-light-text]').textContent = WORDS[state]
}

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
