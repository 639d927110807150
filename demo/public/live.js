import { connect } from './koa-event-stream/index.js'
import { showLight } from './light.js'
import { loadParts } from './parts.js'

/** Why a stream ends when the login has: in this tab or another, or at the server. */
const LOGGED_OUT = ['logout', 'revoked', 'unauthenticated']

/**
 * Opens the page's one event stream, from where the log stood when the page was rendered. The session cookie opens it, and
 * all tabs of the account that listen to the same share one connection: over HTTP/1.1 a browser has six to a server.
 *
 * @param onLoad is called when the page's parts have been loaded anew, since events were lost
 * @param onState is told of each state of the stream, and the reason for it
 */
export function openLive({ onLoad = () => undefined, onState = () => undefined } = {}) {
  const { events, cursor, account } = document.body.dataset
  const light = document.querySelector('[data-light]')
  return connect(events, {
    since: cursor,
    share: { name: events, identity: account },
    async load(_why, signal) {
      const loaded = await loadParts(signal)
      onLoad()
      return loaded
    },
    onState(state, reason) {
      showLight(light, state, reason)
      onState(state, reason)
      if (state === 'ended' && LOGGED_OUT.includes(reason)) location.assign('/login?ended')
    },
  })
}
