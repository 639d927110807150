/**
 * As much of ava as the client's tests use, for runtimes that ava itself does not run on. Tests run one after another; the
 * process says how many passed, and fails if one did not.
 */
import { AssertionError, deepStrictEqual, ok, rejects, strictEqual, throws } from 'node:assert/strict'

interface Expectation {
  readonly instanceOf?: new (...args: never[]) => Error
  readonly message?: string | RegExp
}

type Teardown = () => unknown
type Run = (t: Assertions) => unknown

const tests: { readonly title: string; readonly run: Run }[] = []

/** A test's `t`. */
class Assertions {
  readonly is = strictEqual
  readonly deepEqual = deepStrictEqual
  readonly true = (value: unknown, message?: string): void => strictEqual(value, true, message)
  readonly false = (value: unknown, message?: string): void => strictEqual(value, false, message)
  readonly log = console.log
  readonly #teardowns: Teardown[] = []

  fail(message = 'failed'): never {
    throw new AssertionError({ message })
  }

  pass(): void {
    // Nothing is wrong.
  }

  throws(run: () => unknown, expected?: Expectation): Error {
    let thrown = new Error('nothing was thrown')
    throws(run, error => {
      thrown = error as Error
      return isExpected(error, expected)
    })
    return thrown
  }

  async throwsAsync(run: Promise<unknown> | (() => Promise<unknown>), expected?: Expectation): Promise<void> {
    await rejects(run, error => isExpected(error, expected))
  }

  teardown(task: Teardown): void {
    this.#teardowns.unshift(task)
  }

  /** Nothing waits for it: Deno's servers do not say that they have closed, and the process ends with the last test. */
  end(): void {
    for (const task of this.#teardowns) void task()
  }
}

function isExpected(error: unknown, { instanceOf = Error, message = '' }: Expectation = {}): true {
  ok(error instanceof instanceOf)
  if (typeof message !== 'string') ok(message.test(error.message), error.message)
  else if (message !== '') strictEqual(error.message, message)
  return true
}

export default function test(title: string, run: Run): void {
  tests.push({ title, run })
}

// Once the module that imports this has listed its tests.
setTimeout(() => void runAll())

async function runAll(): Promise<void> {
  let failures = 0
  for (const { title, run } of tests) {
    const t = new Assertions()
    try {
      await run(t)
    } catch (error) {
      failures += 1
      console.log(`✘ ${title}\n`, error)
    }
    t.end()
  }
  console.log(`${tests.length - failures} of ${tests.length} tests passed`)
  process.exit(failures === 0 ? 0 : 1)
}
