import type { Context } from 'koa'
import { fn } from '../options.ts'
import { MAX_RUN_ID_LENGTH, type Run } from './options.ts'
import type { RunRecord } from './run-store.ts'

type IdOf = (ctx: Context) => unknown

/** Returns the function that finds the id of a run. @throws {TypeError} for a value that is not a function */
export function checkIdOf(id: ((ctx: Context) => unknown) | undefined): IdOf {
  return id === undefined ? parameterOf : fn('id', id)
}

/**
 * The id of a request's run; `undefined` if it is not valid.
 *
 * @throws what the application's function throws, as a rejection
 */
export async function runIdOf(ctx: Context, idOf: IdOf): Promise<string | undefined> {
  const id = await idOf(ctx)
  const isId = typeof id === 'string' && id !== '' && id.length <= MAX_RUN_ID_LENGTH && id.isWellFormed()
  return isId ? id : undefined
}

/** The run as passed to `may`, whether it exists or not. */
export function runOf(id: string, record: RunRecord | undefined): Run {
  return Object.freeze({ id, owner: record?.owner })
}

/** Whether the application's `may` returned exactly `true`. */
export async function isAllowed<Who>(
  may: (identity: Who, run: Run) => boolean | Promise<boolean>,
  identity: Who,
  run: Run,
): Promise<boolean> {
  const answer: unknown = await may(identity, run)
  return answer === true
}

// Koa's routers set `ctx.params`.
function parameterOf(ctx: Context): unknown {
  const params = Object(ctx.params) as Record<string, unknown>
  if (Object.hasOwn(params, 'id')) return params.id
  const values = Object.values(params)
  if (values.length === 1) return values[0]
  throw new TypeError(
    'a route of a relay needs exactly one parameter, or one named `id`; otherwise set the option `id`',
  )
}
