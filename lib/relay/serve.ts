import type { Context } from 'koa'
import { EventStreamError } from '../errors.ts'
import { DEFAULT_HEARTBEAT } from '../koa/route-config.ts'
import { invalid, oneOf } from '../options.ts'
import type { EventInput } from '../wire/event.ts'
import type { FollowOptions } from './options.ts'
import { isPast, readerStart, readRun, type ReaderOptions, type ReaderStream } from './reader.ts'
import type { RunRecord } from './run-store.ts'
import type { Runs } from './runs.ts'

/** What a reader's stream carries: the run, `null` where nothing is left of it, nothing where the request is refused. */
type Served = AsyncIterable<EventInput> | null | undefined

// Options of `eventStream()` that are the relay's own to give.
const OWN = ['hub', 'subscribe'] as const

/** @throws {TypeError} that names the wrong option */
export function checkReader(options: Pick<FollowOptions, 'authenticate' | 'format' | 'heartbeat'>): ReaderOptions {
  const own = OWN.find(name => Object.hasOwn(options, name))
  if (own !== undefined) throw new TypeError(`a route of a relay has no option \`${own}\`: the relay gives it`)
  const { authenticate, format, heartbeat } = options
  // A run has an owner, and readers with rights.
  if (authenticate === (false as unknown)) throw invalid('authenticate', 'an authenticator', false)
  const interval = typeof heartbeat === 'object' ? heartbeat.interval : heartbeat
  if (format !== undefined) oneOf('format', format, ['plain'])
  return Object.freeze({
    isPlain: format !== undefined,
    heartbeat: interval === false ? null : (interval ?? DEFAULT_HEARTBEAT),
  })
}

/** Clients that read events alone understand a status: an answer of 200 without any of theirs would be an empty one. */
export function overloadOf({
  format,
  overload,
}: Pick<FollowOptions, 'format' | 'overload'>): Pick<FollowOptions, 'overload'> {
  if (overload !== undefined) return { overload }
  return format === 'plain' ? { overload: 'reject' } : {}
}

/** Has a stream carry a run, as far as its client has not read it. */
export async function serve(
  runs: Runs,
  record: RunRecord | undefined,
  stream: ReaderStream,
  ctx: Context,
  options: ReaderOptions,
): Promise<Served> {
  const view = record === undefined ? undefined : await runs.views.open(record.name)
  if (view === undefined) {
    ctx.status = 404
    return undefined
  }
  const release = (): void => {
    runs.views.release(view)
  }
  const start = readerStart(stream.lastEventId, view)
  if (stream.closed || isPast(view, start, options.isPlain)) {
    release()
    return null
  }
  stream.once('close', release)
  stream.isPlain = options.isPlain
  return doneAfter(() => readRun(view, start, stream, options))
}

// Events that many streams share are written to each as they are: to the stream it is a source that has none of its own.
function doneAfter(work: () => Promise<void>): AsyncIterable<never> {
  const next = async (): Promise<IteratorResult<never>> => {
    await work()
    return { done: true, value: undefined }
  }
  return { [Symbol.asyncIterator]: () => ({ next }) }
}

/**
 * Answers what a resolver answers. Where the broker cannot tell just now, the client is to come back, as it is whenever a
 * stream cannot be opened.
 */
export async function orComeBack(runs: Runs, stream: ReaderStream, resolve: () => Promise<Served>): Promise<Served> {
  try {
    return await resolve()
  } catch (error) {
    if (!(error instanceof EventStreamError && error.code === 'ERR_BROKER')) throw error
    runs.failed(error)
    stream.close('server')
    return undefined
  }
}
