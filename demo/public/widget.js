import { ApiClient } from './api-client.js'
import { money } from './format.js'
import { showLight } from './light.js'
import { ticketedStream } from './ticketed-stream.js'

/** A page that could be on any other site: it logs in at the API, and shows what happens with the user's orders. */

const widget = document.querySelector('[data-widget]')
const part = name => widget.querySelector(`[data-${name}]`)
const [form, error, news, feed, logOut] = ['login', 'error', 'news', 'feed', 'log-out'].map(part)

const api = new ApiClient(new URL(widget.dataset.api, location.href))
let stream

form.addEventListener('submit', async event => {
  event.preventDefault()
  const { username, password } = form.elements
  try {
    await api.logIn(username.value, password.value)
  } catch (failure) {
    say(failure.message)
    return
  }
  form.reset()
  say('')
  follow()
})

logOut.addEventListener('click', async () => {
  try {
    await api.logOut()
  } catch (failure) {
    say(failure.message)
    return
  }
  stream.close()
})

function follow() {
  stream?.close()
  feed.replaceChildren()
  stream = ticketedStream(api)
  stream.on('order.created', ({ id, lot, bags, total }) => tell(`${id}: ${bags} × ${lot}, ${money(total)}`))
  stream.on('order.updated', ({ id, status }) => tell(`${id} is ${status}`))
  stream.on('notification', ({ text }) => tell(text))
  stream.addEventListener('gap', () => tell('Some news was missed.'))
  stream.addEventListener('state', showDoor)
  showLight(part('light'), stream)
  showDoor()
}

function showDoor() {
  form.hidden = api.isLoggedIn
  news.hidden = !api.isLoggedIn
  if (!api.isLoggedIn) say('You have been logged out.')
}

function tell(text) {
  const line = document.createElement('li')
  line.textContent = text
  feed.prepend(line)
}

function say(text) {
  error.textContent = text
  error.hidden = text === ''
}
