import test, { type ExecutionContext } from 'ava'
import type { ConnectOptions } from '../../lib/client/options.ts'
import { ScriptedWorld } from './scripted.ts'
import { Seen } from './seen.ts'

/** What a test of both transports works with. */
export interface Bench {
  readonly world: ScriptedWorld
  readonly seen: Seen
  readonly options: ConnectOptions
}

/** The same for an EventSource and for `fetch`. */
export function onBoth(title: string, run: (t: ExecutionContext, bench: Bench) => Promise<void>): void {
  for (const transport of ['eventsource', 'fetch'] as const) {
    test(`${transport}: ${title}`, async t => {
      const seen = new Seen()
      await run(t, { world: new ScriptedWorld(), seen, options: { transport, ...seen.options } })
    })
  }
}
