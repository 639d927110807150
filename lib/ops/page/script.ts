/**
 * The script of the page: plain JavaScript for browsers, without a build. Whatever comes from elsewhere is text, never
 * markup. One file, since it is served as it is.
 */
export const SCRIPT = `const TRACE_ROWS = 500
const find = id => document.getElementById(id)

// Numbers, as people read them.

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const shown = value => (value === null || value === undefined ? '–' : number.format(value))
const bytes = value => (value === null || value === undefined ? '–' : short.format(value) + 'B')
const lag = value => (value ? number.format(value.worst) + ' ms' : '–')
const sum = (list, of) => list.reduce((total, item) => total + (of(item) ?? 0), 0)

function time(ms) {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return seconds + ' s'
  if (seconds < 3600) return Math.floor(seconds / 60) + ' min'
  return Math.floor(seconds / 3600) + ' h ' + (Math.floor(seconds / 60) % 60) + ' min'
}

// Tables: rows stay the same elements while they are the same things, so that a button keeps its focus.

function fill(body, items, keyOf, cellsOf, actionsOf) {
  const labels = [...body.closest('table').tHead.rows[0].cells].map(cell => cell.textContent)
  const rows = new Map([...body.rows].map(row => [row.dataset.key, row]))
  const wanted = items.map(item => {
    const key = keyOf(item)
    const row = rows.get(key) ?? newRow(key, labels, actionsOf?.(item))
    cellsOf(item).forEach((text, index) => {
      const cell = row.cells[index]
      if (cell.textContent !== String(text)) cell.textContent = text
    })
    return row
  })
  for (const row of rows.values()) if (!wanted.includes(row)) row.remove()
  wanted.forEach((row, index) => {
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null)
  })
  return wanted
}

function newRow(key, labels, actions = []) {
  const row = document.createElement('tr')
  row.dataset.key = key
  for (const label of labels) row.insertCell().dataset.label = label
  if (actions.length > 0) {
    const group = document.createElement('div')
    group.className = 'buttons'
    group.append(...actions.map(newButton))
    row.cells[labels.length - 1].append(group)
  }
  return row
}

function newButton({ label, about, isGrave, run }) {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = label
  button.setAttribute('aria-label', label + ' ' + about)
  if (isGrave) button.className = 'grave'
  button.addEventListener('click', run)
  return button
}

// Actions: whether they are allowed is for the server to say.

function notice(text, isBad) {
  const box = find('notice')
  box.textContent = text
  box.hidden = false
  box.toggleAttribute('data-bad', isBad)
}

async function act(action, done) {
  try {
    const response = await fetch('actions', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(action),
    })
    if (response.ok) notice(done, false)
    else notice(action.type + ': ' + (await errorOf(response)), true)
  } catch {
    notice(action.type + ': no answer came. Whether it was done is not known.', true)
  }
  search(false)
}

async function errorOf(response) {
  const text = await response.text()
  try {
    return JSON.parse(text).error
  } catch {
    return text
  }
}

function whenSure(question, run) {
  const dialog = find('sure')
  find('sure-text').textContent = question
  dialog.onclose = () => {
    if (dialog.returnValue === 'yes') run()
  }
  dialog.returnValue = 'no'
  dialog.showModal()
}

const cut = ({ id, identity }) => ({
  label: 'Cut',
  about: 'the stream ' + id + (identity === null ? '' : ' of ' + identity),
  run: () => act({ type: 'cut', stream: id }, 'The stream was cut. Its client may come back.'),
})

const disconnect = ({ identity }) => ({
  label: 'Disconnect',
  about: identity,
  isGrave: true,
  run: () =>
    whenSure('End all streams of ' + identity + '? Clients come back on their own unless they are refused then.', () =>
      act({ type: 'disconnect', identity }, 'The streams of ' + identity + ' were ended.'),
    ),
})

const trace = ({ identity }) => ({
  label: 'Trace',
  about: identity,
  run: () => {
    find('trace').elements.identity.value = identity
    startTrace(identity)
    find('trace-title').scrollIntoView()
  },
})

const drain = ({ instance, host, pid }) => ({
  label: 'Drain',
  about: instance,
  isGrave: true,
  run: () =>
    whenSure(
      'Drain ' + instance + ' (' + host + ', process ' + pid + ')? It takes no streams any more until it is restarted.',
      () => act({ type: 'drain', instance }, instance + ' is draining.'),
    ),
})

// What all instances say.

function showOverview({ instances, silent, topics, slow }) {
  const total = {
    instances: instances.length + silent.length,
    streams: shown(sum(instances, each => each.streams)),
    delivered: shown(sum(instances, each => each.rates.delivered)),
    bytes: bytes(sum(instances, each => each.rates.bytes)),
    lag: number.format(Math.max(0, ...instances.map(each => each.rates.lag?.worst ?? 0))) + ' ms',
    gaps: shown(sum(instances, each => each.gaps)),
    buffered: bytes(sum(instances, each => each.buffered)),
  }
  for (const cell of document.querySelectorAll('[data-total]')) cell.textContent = total[cell.dataset.total]
  const all = [...instances, ...silent.map(instance => ({ instance, isSilent: true }))]
  const rows = fill(
    find('instances'),
    all,
    each => each.instance + (each.isSilent ? ' silent' : ''),
    instanceCells,
    each => (each.isSilent ? [] : [drain(each)]),
  )
  rows.forEach((row, index) => row.toggleAttribute('data-bad', !all[index].ready))
  fill(
    find('topics'),
    topics,
    each => each.topic,
    each => [each.topic, shown(each.streams), shown(each.rate)],
  )
  fill(
    find('slow'),
    slow,
    each => each.id,
    each => [each.identity ?? '(everybody)', bytes(each.buffered), each.instance],
    each => [cut(each)],
  )
}

function instanceCells(each) {
  if (each.isSilent) return [each.instance, 'does not answer']
  const { rates } = each
  return [
    each.instance + ' · ' + each.host + ' · ' + each.pid,
    each.draining ? 'draining' : each.ready ? 'ready' : 'broker lost',
    shown(each.streams),
    shown(rates.published),
    shown(rates.delivered),
    bytes(rates.bytes),
    lag(rates.lag),
    bytes(each.buffered),
    shown(each.gaps),
    shown(each.slow),
    shown(each.refused),
    shown(each.faults),
  ]
}

// Who is connected: asked for when somebody searches, and again and again while the first page is shown.

let listed = []
let next = null
let searches = 0
let isFirstPage = true

async function search(goesOn) {
  const own = (searches += 1)
  const query = new URLSearchParams({ search: find('search').elements.search.value })
  if (goesOn && next !== null) query.set('after', JSON.stringify(next))
  const told = text => (find('streams-state').textContent = text)
  const response = await fetch('streams?' + query).catch(() => null)
  const page = response?.ok ? await response.json().catch(() => null) : null
  const error = response === null || response.ok ? 'no answer came' : await errorOf(response)
  // Another search has begun since.
  if (own !== searches) return
  if (page === null) {
    told('The list is not up to date: ' + error + '.')
    return
  }
  isFirstPage = !goesOn
  listed = goesOn ? [...listed, ...page.streams] : page.streams
  next = page.next
  told(page.complete ? '' : 'Not all instances have answered: the list is not complete.')
  find('more').hidden = next === null
  fill(
    find('streams'),
    listed,
    each => each.id,
    each => [
      each.identity ?? '(everybody)',
      each.id,
      time(each.age),
      each.names.join(', ') +
        (each.topics > each.names.length ? ' and ' + (each.topics - each.names.length) + ' more' : ''),
      bytes(each.buffered),
      each.instance,
    ],
    each => (each.identity === null ? [cut(each)] : [cut(each), trace(each), disconnect(each)]),
  )
}

find('search').addEventListener('submit', event => {
  event.preventDefault()
  search(false)
})
find('more').addEventListener('click', () => search(true))

// The trace of an identity: a stream of its own, which the server ends after a minute.

let tracing
const traced = []

function startTrace(identity) {
  tracing?.close()
  traced.length = 0
  find('entries').replaceChildren()
  const told = text => (find('trace-state').textContent = text)
  told('Tracing ' + identity + ' for a minute.')
  const source = (tracing = new EventSource('trace?' + new URLSearchParams({ identity })))
  source.addEventListener('trace', ({ data }) => {
    const { entries, dropped, complete } = JSON.parse(data)
    traced.unshift(...entries.reverse())
    traced.length = Math.min(traced.length, TRACE_ROWS)
    fill(find('entries'), traced, each => each.instance + ' ' + each.n, entryCells)
    if (dropped > 0) told(dropped + ' entries were left out: too much happened at once.')
    if (!complete) told('Not all instances are traced: some do not answer, or trace too much already.')
  })
  source.addEventListener('goaway', ({ data }) => {
    source.close()
    const { reason } = JSON.parse(data)
    told(reason === 'done' ? 'The minute is over.' : 'The trace ended: ' + reason + '.')
  })
  source.addEventListener('error', async () => {
    const isRefused = source.readyState === EventSource.CLOSED
    source.close()
    told('The trace ended: ' + (isRefused ? await whyRefused(source.url) : 'the connection broke') + '.')
  })
}

function entryCells(each) {
  const details = [
    each.event && each.event + ', ' + each.bytes + ' bytes',
    each.reason,
    each.status && 'status ' + each.status,
    each.duration !== undefined && 'after ' + time(each.duration),
    each.data,
  ]
  const at = new Date(each.at).toISOString().slice(11, 23)
  return [at, each.what, (each.topics ?? []).join(', '), details.filter(Boolean).join(' · '), each.instance]
}

find('trace').addEventListener('submit', event => {
  event.preventDefault()
  startTrace(find('trace').elements.identity.value)
})

// The page's own stream.

function tell(state, text) {
  find('state').dataset.state = state
  find('state').textContent = text
}

// An EventSource does not say why it was refused.
async function whyRefused(url) {
  const asking = new AbortController()
  try {
    const response = await fetch(url, { headers: { Accept: 'text/event-stream' }, signal: asking.signal })
    return response.ok ? 'the connection broke' : await errorOf(response)
  } catch {
    return 'the server does not answer'
  } finally {
    asking.abort()
  }
}

function open() {
  const source = new EventSource('events')
  source.addEventListener('overview', ({ data }) => {
    tell('open', 'Live')
    showOverview(JSON.parse(data))
    if (isFirstPage) search(false)
  })
  source.addEventListener('goaway', ({ data }) => {
    const { reason } = JSON.parse(data)
    tell('waiting', 'Ended by the server: ' + reason)
  })
  source.addEventListener('error', async () => {
    if (source.readyState !== EventSource.CLOSED) {
      tell('waiting', 'Connecting again')
      return
    }
    tell('ended', 'Refused: ' + (await whyRefused(source.url)))
    setTimeout(open, 10000)
  })
}

open()
`
