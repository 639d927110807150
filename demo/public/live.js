import { ReconnectingStream } from './reconnecting-stream.js'

/** The page's one event stream, shared by its scripts. The session cookie opens it. */
export const live = new ReconnectingStream(async ({ again, signal }) => {
  // An EventSource does not tell why it gave up. If the login has ended, there is nothing to come back for.
  if (!again || !(await hasLoggedOut(signal))) return document.body.dataset.events
  location.assign('/login?ended')
  return undefined
})

async function hasLoggedOut(signal) {
  const { status } = await fetch('/session', { cache: 'no-store', signal })
  return status === 401
}
