/** A client of somebody else's. */
export interface Client {
  /** As it is installed here. */
  readonly package?: string
  /** As others call it, where that is another name. */
  readonly name?: string
  /** Where it is tried: in Node, in a page of the server's origin, or in one of another origin. */
  readonly where: 'node' | 'same origin' | 'other origin'
  /** Scripts that a page loads for it before. */
  readonly scripts?: readonly string[]
  /** What an application has to know of it, beside what is seen here. */
  readonly note: string
}

export const clients: readonly Client[] = [
  {
    name: 'EventSource of browsers',
    where: 'other origin',
    note: 'Turbo’s `<turbo-stream-source src>` is one. After 401 or 503 the page has to make a new one',
  },
  {
    package: 'event-source-polyfill',
    where: 'other origin',
    note: 'its own heartbeat time-out is 45 s: keep `heartbeat` below',
  },
  {
    package: '@microsoft/fetch-event-source',
    where: 'other origin',
    note: 'throw in `onclose` to come back after an end in order, and in `onerror` to give up after a 401',
  },
  { package: 'eventsource-client', where: 'other origin', note: 'call `close()` when a 401 is seen' },
  {
    package: 'sse.js',
    where: 'other origin',
    note: 'only with `autoReconnect: true`; it never gives up: call `close()` on `goaway` with `done`, `logout` or `revoked`',
  },
  {
    package: 'htmx.org',
    where: 'same origin',
    scripts: ['htmx.org/dist/htmx.js', 'htmx-ext-sse/dist/sse.js'],
    note: 'with `htmx-ext-sse`, which makes a new EventSource, without the last id, whenever one gives up: give `sse-close="goaway"` to finished sources',
  },
  {
    package: 'htmx-4',
    where: 'same origin',
    scripts: ['htmx-4/dist/htmx.js', 'htmx-4/dist/ext/hx-sse.js'],
    note: 'with `hx-sse`; give `hx-sse:close="goaway"` to finished sources',
  },
  { package: 'eventsource-2', where: 'node', note: '' },
  { package: 'eventsource-3', where: 'node', note: '' },
  { package: 'eventsource', where: 'node', note: '' },
  { package: 'eventsource-5', where: 'node', note: '' },
  { package: 'launchdarkly-eventsource', where: 'node', note: '`errorFilter` decides what it comes back after' },
  { package: 'undici', where: 'node', note: 'the `EventSource` of Node’s own flag `--experimental-eventsource`, too' },
]
