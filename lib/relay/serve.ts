import type { Context } from 'koa'
import { EventStreamError } from '../errors.ts'
import { DEFAULT_HEARTBEAT } from '../koa/route-config.ts'
import { oneOf } from '../options.ts'
import type { EventInput } from '../wire/event.ts'
import type { FollowOptions } from './options.ts'
import { isPast, readerStart, readRun, type ReaderOptions, type ReaderStream } from './reader.ts'
import type { RunRecord } from './run-store.ts'
import type { Runs } from './runs.ts'

/** What a reader's stream carries: the run, `null` where nothing is left of it, nothing where the request is refused. */
type Served = AsyncIterable<EventInput> | null | undefined

/** @throws {TypeError} that names the wrong option */
export function checkReader({ format, heartbeat }: Pick<FollowOptions, 'format' | 'heartbeat'>): ReaderOptions {
  const interval = typeof heartbeat === 'object' ? heartbeat.interval : heartbeat
  if (format !== undefined) oneOf('format', format, ['plain'])
  return Object.freeze({
    isPlain: format !== undefined,
    heartbeat: interval === false ? null : (interval ?? DEFAULT_HEARTBEAT),
  })
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
  return readRun(view, start, stream, options)
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
