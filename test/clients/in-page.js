/**
 * Bundled into the pages of these tests: opens a client of somebody else's, set up as its own documentation shows, and
 * calls `ended` once it has given up.
 */
import { fetchEventSource } from '@microsoft/fetch-event-source'
import { EventSourcePolyfill } from 'event-source-polyfill'
import { createEventSource } from 'eventsource-client'
import { SSE } from 'sse.js'

const drivers = {
  EventSource: likeEventSource(EventSource),
  'event-source-polyfill': likeEventSource(EventSourcePolyfill),
  '@microsoft/fetch-event-source': (url, ended) => {
    fetchEventSource(url, { openWhenHidden: true }).then(ended, ended)
  },
  'eventsource-client': (url, ended) => {
    const look = () => source.readyState === 'closed' && ended()
    const source = createEventSource({ url, onDisconnect: () => queueMicrotask(look) })
  },
  'sse.js': url => new SSE(url, { autoReconnect: true }).stream(),
  'htmx.org': url => byMarkup('sse-connect', url),
  'htmx-4': (url, ended) => {
    // What it asks first is a request as any other: it becomes a stream by the answer.
    byMarkup('hx-sse:connect', url).addEventListener('htmx:response:error', ended)
  },
}

// An error alone may mean that it is coming back.
function likeEventSource(Source) {
  return (url, ended) => {
    const source = new Source(url)
    source.addEventListener('error', () => source.readyState === 2 && ended())
  }
}

// htmx reads the page.
function byMarkup(attribute, url) {
  const element = document.createElement('div')
  element.setAttribute(attribute, url)
  element.setAttribute('hx-ext', 'sse')
  document.body.append(element)
  window.htmx.process(element)
  return element
}

window.drive = (name, url) => drivers[name](url, () => window.ended(url))
