import type { Context } from 'koa'
import { EventStreamError } from '../errors.ts'
import type { Identity } from '../auth/identity.ts'
import { tell } from '../koa/json-answer.ts'
import { BODY_FAULTS, readJson } from '../koa/json-body.ts'
import { isAllowed } from '../koa/permission.ts'
import { secretsOf } from '../koa/request-secrets.ts'
import type { Stands } from '../koa/require-identity.ts'
import { safeError } from '../safe-error.ts'
import type { Fleet, Outcome } from './fleet.ts'
import type { OpsAction, OpsConfig } from './options.ts'
import { isName, isRecord, readWish } from './question.ts'

// Room for an action and the longest name.
const MAX_BODY_BYTES = 8_192

type Order = Exclude<OpsAction, { readonly type: 'view' | 'trace' }>

/** Answers a part of the list of who is connected. */
export async function answerStreams(ctx: Context, fleet: Fleet, stands: Stands): Promise<void> {
  const { search = '', after } = ctx.query
  const wish = readWish(search, placeOf(after))
  if (wish === undefined) {
    tell(ctx, 400, { error: '`search` has at most 200 characters, and `after` is what `next` was' })
    return
  }
  const page = await fleet.streams(wish)
  // Other instances may have taken their time.
  if (await stands()) tell(ctx, 200, page)
}

/** Does what a POST asks for, where the application allows it at that moment. */
export async function answerAction(ctx: Context, config: OpsConfig, fleet: Fleet, stands: Stands): Promise<void> {
  const { hub, may } = config
  const body = await readJson(ctx, { clock: hub.clock, maxBytes: MAX_BODY_BYTES })
  if (typeof body === 'number') {
    tell(ctx, body, { error: BODY_FAULTS[body] })
    return
  }
  const order = readOrder(body.json)
  if (order === undefined) {
    tell(ctx, 400, {
      error: 'the body is `{ "type": "cut", "stream": … }`, `disconnect` with `identity`, or `drain` with `instance`',
    })
    return
  }
  const identity = ctx.state.identity as Identity
  if (!(await isAllowed(ctx, config, () => may(identity, order), { error: `not allowed to ${order.type}` }))) return
  // A body may have come slowly, and the login have ended meanwhile.
  if (await stands()) await carryOut(ctx, config, fleet, { identity, order })
}

async function carryOut(
  ctx: Context,
  { hub }: OpsConfig,
  fleet: Fleet,
  { identity, order }: { readonly identity: Identity; readonly order: Order },
): Promise<void> {
  if (order.type === 'cut') tellOutcome(ctx, await fleet.cut(order.stream), 'stream')
  else if (order.type === 'drain') tellOutcome(ctx, await fleet.drain(order.instance), 'instance')
  else {
    try {
      await hub.disconnect({ identity: order.identity })
      tell(ctx, 200, { done: true })
    } catch (error) {
      if (!(error instanceof EventStreamError)) throw error
      hub.failed('disconnect', safeError(error, secretsOf(ctx, identity)))
      comeBack(ctx, 'the streams of this instance are closed; whether others have heard of it is not known: try again')
    }
  }
}

function tellOutcome(ctx: Context, { done, complete }: Outcome, what: string): void {
  if (done) tell(ctx, 200, { done })
  else if (complete) tell(ctx, 404, { error: `there is no such ${what}` })
  else comeBack(ctx, `not all instances have answered, and none of the others has this ${what}: try again`)
}

function comeBack(ctx: Context, error: string): void {
  ctx.set('Retry-After', '1')
  tell(ctx, 503, { error })
}

function readOrder(json: unknown): Order | undefined {
  if (!isRecord(json)) return undefined
  const { type, stream, identity, instance } = json
  if (type === 'cut' && isName(stream)) return { type, stream }
  if (type === 'disconnect' && isName(identity)) return { type, identity }
  if (type === 'drain' && isName(instance)) return { type, instance }
  return undefined
}

function placeOf(after: unknown): unknown {
  if (after === undefined) return null
  try {
    return typeof after === 'string' ? JSON.parse(after) : undefined
  } catch {
    return undefined
  }
}
