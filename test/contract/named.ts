import type { TestFn } from 'ava'
import type { TestFunction } from 'koa-event-stream/testing'

/** Defines tests of a contract by ava, which wants an assertion of its own in each. */
export function named(test: TestFn, name: string): TestFunction {
  return (title, body) =>
    test(`${name}: ${title}`, async t => {
      await body()
      t.pass()
    })
}
