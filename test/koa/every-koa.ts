import test, { type ExecutionContext } from 'ava'
import type Koa from 'koa'
import { koaVersions } from '../support/koa-versions.ts'

/** Registers a test once for each version of Koa. */
export function onEveryKoa(title: string, run: (t: ExecutionContext, version: typeof Koa) => Promise<void>): void {
  for (const [name, version] of koaVersions) test(`${title} (${name})`, t => run(t, version))
}
