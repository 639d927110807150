import type { Context } from 'koa'
import { EventStreamError } from '../errors.ts'
import { DEFAULT_HEARTBEAT } from '../koa/route-config.ts'
import { invalid, oneOf } from '../options.ts'
import type { EventInput } from '../wire/event.ts'
import type { FollowOptions } from './options.ts'
import { isPast, readerStart, readRun, type ReaderOptions, type ReaderStream } from './reader.ts'
import type { RunRecord } from './run-store.ts'
import type { Runs } from './runs.ts'

/** A resolver's result: the run, `null` if there is nothing more to read, `undefined` if the request is refused. */
type Served = AsyncIterable<EventInput> | null | undefined

// Options of `eventStream()` that the relay sets itself.
const OWN = ['hub', 'subscribe'] as const

/** @throws {TypeError} that names the wrong option */
export function checkReader(options: Pick<FollowOptions, 'authenticate' | 'format' | 'heartbeat'>): ReaderOptions {
  const own = OWN.find(name => Object.hasOwn(options, name))
  if (own !== undefined) throw new TypeError(`a route of a relay has no option \`${own}\`: the relay sets it`)
  const { authenticate, format, heartbeat } = options
  // A run has an owner, and readers need permission.
  if (authenticate === (false as unknown)) throw invalid('authenticate', 'an authenticator', false)
  const interval = typeof heartbeat === 'object' ? heartbeat.interval : heartbeat
  if (format !== undefined) oneOf('format', format, ['plain'])
  return Object.freeze({
    isPlain: format !== undefined,
    heartbeat: interval === false ? null : (interval ?? DEFAULT_HEARTBEAT),
  })
}

/** Clients of the plain format understand a status: to them a `postpone` response looks like an empty run. */
export function overloadOf({
  format,
  overload,
}: Pick<FollowOptions, 'format' | 'overload'>): Pick<FollowOptions, 'overload'> {
  if (overload !== undefined) return { overload }
  return format === 'plain' ? { overload: 'reject' } : {}
}

/** Streams a run from where its client has got to. */
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

// A source without events of its own: the shared events are written to the stream directly.
function doneAfter(work: () => Promise<void>): AsyncIterable<never> {
  const next = async (): Promise<IteratorResult<never>> => {
    await work()
    return { done: true, value: undefined }
  }
  return { [Symbol.asyncIterator]: () => ({ next }) }
}

/**
 * Calls a resolver. If the broker is unavailable the client is told to reconnect, as whenever a stream cannot be
 * opened.
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
