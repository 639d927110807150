import type { Context } from 'koa'
import { fn } from '../options.ts'
import { MAX_RUN_ID_LENGTH, type Run } from './options.ts'
import type { RunRecord } from './run-store.ts'

type IdOf = (ctx: Context) => unknown

/** Where a route finds the id of a run. @throws {TypeError} for what is no function */
export function checkIdOf(id: ((ctx: Context) => unknown) | undefined): IdOf {
  return id === undefined ? parameterOf : fn('id', id)
}

/**
 * The id of the run that a request is about; `undefined` for what can be none.
 *
 * @throws what the application's function throws, as a rejection
 */
export async function runIdOf(ctx: Context, idOf: IdOf): Promise<string | undefined> {
  const id = await idOf(ctx)
  const isId = typeof id === 'string' && id !== '' && id.length <= MAX_RUN_ID_LENGTH && id.isWellFormed()
  return isId ? id : undefined
}

/** What rights are asked for, whether there is such a run or not. */
export function runOf(id: string, record: RunRecord | undefined): Run {
  return Object.freeze({ id, owner: record?.owner })
}

/** Whether an application has said yes, and nothing like it. */
export async function isAllowed<Who>(
  may: (identity: Who, run: Run) => boolean | Promise<boolean>,
  identity: Who,
  run: Run,
): Promise<boolean> {
  const answer: unknown = await may(identity, run)
  return answer === true
}

// Routers of Koa leave the parameters of a route there.
function parameterOf(ctx: Context): unknown {
  const params = Object(ctx.params) as Record<string, unknown>
  if (Object.hasOwn(params, 'id')) return params.id
  const values = Object.values(params)
  if (values.length === 1) return values[0]
  throw new TypeError('a route of a relay has one parameter, or one that is called `id`: else give it the option `id`')
}
