import { parseArgs } from 'node:util'
import { contenders } from './contenders/index.ts'
import type { RunOptions } from './run.ts'
import type { Workload } from './workload.ts'
import { workloads } from './workloads/index.ts'

export interface Options extends Pick<RunOptions, 'rounds' | 'size' | 'only'> {
  /** What is to be run: all unless told otherwise. */
  readonly taking: readonly Workload[]
  readonly save: boolean
  readonly redraw: boolean
}

/**
 * Reads `[workload…] [--only contender,…] [--rounds 3] [--quick] [--save] [--redraw]`.
 *
 * @throws {TypeError} for what makes no sense
 */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      quick: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      redraw: { type: 'boolean', default: false },
    },
  })
  const { quick, save, redraw } = values
  const only = values.only?.split(',')
  const rounds = Number(values.rounds)
  allKnown('workload', positionals, workloads)
  allKnown('contender', only ?? [], contenders)
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError('--rounds is a whole number from 1')
  // What is saved is compared, and only what ran in turn can be.
  if (save && (quick || only !== undefined)) throw new TypeError('--save takes neither --quick nor --only')
  return {
    taking: workloads.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
    rounds,
    size: quick ? 'quick' : 'full',
    save,
    redraw,
    ...(only && { only }),
  }
}

function allKnown(what: string, names: readonly string[], known: readonly { readonly name: string }[]): void {
  const unknown = names.find(name => !known.some(one => one.name === name))
  if (unknown === undefined) return
  throw new TypeError(`no ${what} is called ${unknown}: there are ${known.map(({ name }) => name).join(', ')}`)
}
