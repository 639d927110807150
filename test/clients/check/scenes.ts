import type { ServerResponse } from 'node:http'

/** A request of the client's. */
export interface Visit {
  /** The id that it goes on from, by header or by query; empty without one. */
  readonly id: string
  /** Milliseconds since the scene began. */
  readonly at: number
}

/** What is played to a client, and what it has to do then: docs/protocol.md, "What a client should do". */
export interface Scene {
  readonly name: string
  /** `must`: events are lost, doubled, or asked for without end otherwise. `should`: it serves its user badly. */
  readonly level: 'must' | 'should'
  readonly rule: string
  /** What each request is answered, one after the other; the last answer stands for all others. */
  readonly answers: readonly ((response: ServerResponse) => void)[]
  /** With how many requests there is nothing to wait for any more. */
  readonly enough: number
  /** What the client has done wrong, once these requests have come, or it has asked for nothing for a while. */
  wrong(visits: readonly Visit[]): string | undefined
}

/** Milliseconds that a client is told to wait in the scene about that. */
export const RETRY = 1_500
const SOON = 'retry: 500\n'
const CURSOR = 'event: cursor\ndata: {"stream":"s","heartbeat":25000}\n\n'

export const scenes: readonly Scene[] = [
  {
    name: 'resume',
    level: 'must',
    rule: 'comes back with the id of `cursor`, the last that it was sent',
    answers: [stream(`${SOON}id: e-1\ndata: 1\n\nid: e-2\n${CURSOR}`), open],
    enough: 2,
    wrong: cameBackWith('e-2'),
  },
  {
    name: 'half',
    level: 'must',
    rule: 'drops an event that was cut off, and its id',
    answers: [cut(`${SOON}id: e-1\n${CURSOR}id: e-2\ndata: half\n`), open],
    enough: 2,
    wrong: cameBackWith('e-1'),
  },
  {
    name: 'unknown',
    level: 'must',
    rule: 'goes on over comments, fields and events that it does not know',
    answers: [stream(`${SOON}: \nnew: field\nid: e-1\n${CURSOR}event: new\nid: e-2\ndata: {}\n\n`), open],
    enough: 2,
    wrong: cameBackWith('e-2'),
  },
  {
    name: 'lines',
    level: 'must',
    rule: 'takes CR, LF and CR LF for the ends of lines',
    answers: [stream(`${SOON}id: e-1\r\ndata: 1\r\n\r\nid: e-2\rdata: 2\r\rid: e-3\n${CURSOR}`), open],
    enough: 2,
    wrong: cameBackWith('e-3'),
  },
  {
    name: 'gap',
    level: 'must',
    rule: 'keeps its id over a `gap`, which has none',
    answers: [stream(`${SOON}id: e-1\n${CURSOR}event: gap\ndata: {"topics":["news"],"reason":"trimmed"}\n\n`), open],
    enough: 2,
    wrong: cameBackWith('e-1'),
  },
  {
    name: 'retry',
    level: 'must',
    rule: `waits as long as \`retry\` says, ${RETRY} ms`,
    answers: [stream(`retry: ${RETRY}\nid: e-1\n${CURSOR}`), open],
    enough: 2,
    wrong: ([first, second]) =>
      cameBackWith('e-1')([first, second].filter(visit => visit !== undefined)) ??
      (Number(second?.at) - Number(first?.at) < RETRY ? `came back after ${gap(first, second)} ms` : undefined),
  },
  {
    name: 'overload',
    level: 'should',
    rule: 'comes back after 200, `goaway` and an end, if there was no place for it',
    answers: [stream(`${SOON}event: goaway\ndata: {"reason":"overload"}\n\n`), open],
    enough: 2,
    wrong: visits => (visits.length < 2 ? 'did not come back' : undefined),
  },
  {
    name: 'nothing',
    level: 'must',
    rule: 'stops at 204',
    answers: [stream(`${SOON}id: e-1\n${CURSOR}`), status(204)],
    enough: 3,
    wrong: ({ length }) => (length > 2 ? 'asked again' : undefined),
  },
  {
    name: 'done',
    level: 'must',
    rule: 'stops when a source is done: at once, or at the 204 that the id `~done` gets',
    answers: [stream(`${SOON}data: 1\n\nid: ~done\nevent: goaway\ndata: {"reason":"done"}\n\n`), status(204)],
    enough: 3,
    wrong: ({ length, 1: second }) => {
      if (length > 2) return 'asked again after 204'
      return second === undefined || second.id === '~done' ? undefined : `came back with ${shown(second)}`
    },
  },
  {
    name: 'logout',
    level: 'should',
    rule: 'stops at `goaway` of `logout`',
    answers: [stream(`id: e-1\n${CURSOR}event: goaway\ndata: {"reason":"logout"}\n\n`), status(401)],
    enough: 2,
    wrong: ({ length }) => (length > 1 ? 'asked again' : undefined),
  },
  {
    name: 'refused',
    level: 'should',
    rule: 'asks no more than once again after 401',
    answers: [status(401)],
    enough: 3,
    wrong: ({ length }) => (length > 2 ? 'asked again and again' : undefined),
  },
  {
    name: 'silent',
    level: 'should',
    rule: 'takes a connection for dead that was silent for longer than its heartbeats allow',
    answers: [
      response => {
        begin(response).write(`${SOON}id: e-1\nevent: cursor\ndata: {"stream":"s","heartbeat":1000}\n\n`)
      },
      open,
    ],
    enough: 2,
    wrong: cameBackWith('e-1'),
  },
]

function begin(response: ServerResponse): ServerResponse {
  return response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-cache, no-transform',
  })
}

/** A stream that ends in order. */
function stream(text: string) {
  return (response: ServerResponse): void => void begin(response).end(text)
}

/** A stream that breaks off in the middle. */
function cut(text: string) {
  return (response: ServerResponse): void => {
    begin(response).write(text, () => response.destroy())
  }
}

function status(code: number) {
  return (response: ServerResponse): void => void response.writeHead(code).end()
}

/** A stream that goes on. */
function open(response: ServerResponse): void {
  begin(response).write(`${SOON}id: e-9\n${CURSOR}`)
}

function cameBackWith(id: string): Scene['wrong'] {
  return ([, second]) => {
    if (second === undefined) return 'did not come back'
    return second.id === id ? undefined : `came back with ${shown(second)} in place of ${id}`
  }
}

function gap(first: Visit | undefined, second: Visit | undefined): string {
  return String(Math.round(Number(second?.at) - Number(first?.at)))
}

function shown({ id }: Visit): string {
  return id === '' ? 'no id' : id
}
