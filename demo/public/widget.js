import { ApiClient, LoginEnded } from './api-client.js'
import { money } from './format.js'
import { connect } from './koa-event-stream/index.js'
import { showLight } from './light.js'

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
  showDoor(true)
})

function follow() {
  feed.replaceChildren()
  showDoor(false)
  stream = connect(urlWithTicket, {
    onState(state, reason) {
      showLight(part('light'), state, reason)
      if (state === 'ended') showDoor(true)
    },
    // No ticket: there is another try after a while, and the light says so.
    onError: failure => console.warn(failure.message),
  })
  stream.on('order.created', ({ id, lot, bags, total }) => tell(`${id}: ${bags} × ${lot}, ${money(total)}`))
  stream.on('order.updated', ({ id, status }) => tell(`${id} is ${status}`))
  stream.on('notification', ({ text }) => tell(text))
  stream.on('gap', () => tell('Some news was missed.'))
}

/** An EventSource can send no token: each one is opened with a ticket of its own. Without a login there is nothing to ask for. */
async function urlWithTicket({ signal }) {
  try {
    const response = await api.fetch('events/ticket', { method: 'POST', signal })
    if (!response.ok) throw new Error(`no ticket: status ${response.status}`)
    const { ticket } = await response.json()
    return api.url(`events?ticket=${ticket}`)
  } catch (error) {
    if (error instanceof LoginEnded) return null
    throw error
  }
}

function showDoor(isShut) {
  form.hidden = !isShut
  news.hidden = isShut
  if (isShut) say('You have been logged out.')
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
