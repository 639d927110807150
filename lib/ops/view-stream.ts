import type { Context } from 'koa'
import type { Clock } from '../clock.ts'
import { eventStream, type EventStreamMiddleware } from '../koa/middleware.ts'
import type { Logins } from '../koa/options.ts'
import type { RequireIdentityOptions } from '../koa/require-identity.ts'
import type { EventStream } from '../stream/event-stream.ts'
import type { EventMap } from '../wire/event.ts'
import { encodeEvent } from '../wire/frame.ts'
import type { OpsAction, OpsConfig } from './options.ts'
import { askMay, type Verdict } from './permission.ts'

export type Login = Omit<RequireIdentityOptions<EventMap, Logins>, 'refuse'>

/** Looks once, and tells what it has seen. Answers after how many milliseconds to look again, or nothing at the end. */
export type Look = () => Promise<number | undefined>

/** What a stream of the page shows. */
export interface Show<Action extends OpsAction> {
  /** How many such streams there may be on an instance at once. */
  readonly most: number
  /** What a request is for; nothing where it does not say. */
  actionOf(ctx: Context): Action | undefined
  /** @param tell sends an event to the one who has asked */
  begin(action: Action, tell: (event: string, data: object) => void): Look
}

interface Viewer {
  readonly ctx: Context
  readonly stream: EventStream
  readonly action: OpsAction
}

// The page is there for when there are too many streams, those of the operator's own network among them. `most` bounds its
// own.
const NO_LIMIT = Number.MAX_SAFE_INTEGER

/** A stream that somebody may have as long as `may` says so: it is asked again before each look. */
export function viewStream<Action extends OpsAction>(
  config: OpsConfig,
  { limits, ...login }: Login,
  show: Show<Action>,
): EventStreamMiddleware {
  const places = new Places(show.most)
  return eventStream<EventMap, Logins>({
    ...login,
    limits: { ...limits, identity: NO_LIMIT, address: NO_LIMIT, process: NO_LIMIT },
    hub: config.hub,
    subscribe: async (stream, ctx) => {
      const action = show.actionOf(ctx)
      if (action === undefined) {
        refused(ctx, 400, 'say whose streams to trace: ?identity=')
        return
      }
      const verdict = await askMay(ctx, config, stream.identity, action)
      if (verdict !== 'allowed') {
        refused(ctx, verdict === 'denied' ? 403 : 503, ERRORS[verdict])
        return
      }
      if (stream.closeReason !== undefined) return undefined
      if (!places.take(stream)) {
        refused(ctx, 503, 'too many of these are open on this instance: close one')
        return
      }
      return sourceOf(async () => {
        const look = show.begin(action, (event, data) => {
          write(stream, event, data)
        })
        for (let wait = await look(); wait !== undefined; wait = await look()) {
          await pause(config.hub.clock, wait, stream.signal)
          if (stream.closeReason !== undefined || !(await stillMay(config, { ctx, stream, action }))) return
        }
      })
    },
  })
}

const ERRORS: Readonly<Record<Exclude<Verdict, 'allowed'>, string>> = {
  denied: 'not allowed',
  unknown: 'nobody could say whether this is allowed',
}

function refused(ctx: Context, status: 400 | 403 | 503, error: string): undefined {
  ctx.status = status
  ctx.body = { error }
}

/** Asks once more. Whoever has lost the right is told so; where nobody can tell, the page comes back and asks again. */
async function stillMay(config: OpsConfig, { ctx, stream, action }: Viewer): Promise<boolean> {
  const verdict = await askMay(ctx, config, stream.identity, action)
  if (verdict === 'denied') stream.close('revoked')
  else if (verdict === 'unknown') stream.close('server')
  return verdict === 'allowed'
}

// Neither `redact` nor `maxEventBytes`, which are made for the application's own events, apply to the page's.
function write(stream: EventStream, event: string, data: object): void {
  stream.offer(encodeEvent({ event, data: JSON.stringify(data), id: undefined }))
}

/** A source whose events are written by `work`. */
function sourceOf(work: () => Promise<void>): AsyncIterable<never> {
  const next = async (): Promise<IteratorResult<never, undefined>> => {
    await work()
    return { done: true, value: undefined }
  }
  return { [Symbol.asyncIterator]: () => ({ next }) }
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(ms, done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}

/** A number of places for streams: each has one until it has closed. */
class Places {
  #free: number

  constructor(most: number) {
    this.#free = most
  }

  take(stream: EventStream): boolean {
    if (this.#free === 0) return false
    this.#free -= 1
    stream.once('close', () => {
      this.#free += 1
    })
    return true
  }
}
