/**
 * Runs in the pages of the browser tests. Both functions do what an application's script would, and call the function
 * named by `tell` with all that comes of it.
 */

window.listen = ({ tell, url, events, withCredentials }) => {
  const source = new EventSource(url, { withCredentials })
  const say = (name, { data, lastEventId: id } = {}) => window[tell]({ name, data, id })
  source.onopen = () => say('open')
  source.onerror = () => say(source.readyState === EventSource.CLOSED ? 'closed' : 'lost')
  for (const name of events) source.addEventListener(name, event => say(name, event))
}

window.readAnswer = async ({ tell, url, question }) => {
  try {
    const response = await fetch(url, { method: 'POST', body: question })
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      window[tell]({ name: 'text', data: value })
    }
    window[tell]({ name: 'end' })
  } catch (error) {
    // Firefox lets a page that is being left know.
    window[tell]({ name: 'failed', data: String(error) })
  }
}
