/**
 * The page of the client's tests: it shows the numbers of all events, those that it has loaded and those that it was told.
 * Each transport that its address names has a stream and a list of its own, and tells all that comes of it to a function
 * such as `tell_fetch`.
 */
import { connect } from '/client/index.js'

const query = new URLSearchParams(location.search)
const credentials = query.get('credentials')

let token
const newToken = async () => (token = await (await fetch('/token')).text())

/** The parts of `connect()` that say who the page is of. */
const identified = {
  none: () => ['/events', {}],
  ticket: () => [
    async () => {
      const headers = { Authorization: `Bearer ${token ?? (await newToken())}` }
      const { ticket } = await (await fetch('/ticket', { method: 'POST', headers })).json()
      return `/events?ticket=${ticket}`
    },
    {},
  ],
  token: () => [
    '/events',
    {
      headers: async ({ reason }) => {
        if (token === undefined || reason === 'unauthenticated') await newToken()
        return { Authorization: `Bearer ${token}` }
      },
    },
  ],
}

for (const transport of query.getAll('transport')) {
  const tell = (name, data) => window[`tell_${transport}`]({ name, data })
  let shown = []
  const show = numbers => {
    shown = numbers
    tell('shown', shown.join(' '))
  }
  const [url, headers] = identified[credentials]()
  const live = connect(url, {
    transport,
    ...headers,
    onState: (state, reason) => tell(state, reason),
    // A request for a ticket fails, too, while the server cannot be reached.
    onError: error => tell('failed', String(error)),
    load: async ({ reason }) => {
      const { numbers, cursor } = await (await fetch('/state', { cache: 'no-store' })).json()
      tell('load', reason)
      show(numbers)
      return { cursor }
    },
  })
  live.on('tick', n => show([...shown, n]))
}
