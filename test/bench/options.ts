import { parseArgs } from 'node:util'
import { COMPARED } from './against/line-up.ts'
import { contenders } from './contenders/index.ts'
import type { RunOptions } from './run.ts'
import type { Workload } from './workload.ts'
import { workloads } from './workloads/index.ts'

/** Instead of workloads: what each optimisation of memory saves. */
export const SAVINGS = 'memory-savings'

export interface Options extends Pick<RunOptions, 'rounds' | 'size'> {
  /** What is to be run: all unless told otherwise. */
  readonly taking: readonly Workload[]
  /** Names of contenders; all where left out. */
  readonly only?: readonly string[]
  /** The revision that the library is compared with. */
  readonly against?: string
  readonly savings: boolean
  readonly save: boolean
  readonly redraw: boolean
}

/**
 * Reads `[workload…] [--only contender,…] [--against revision] [--rounds 3] [--quick] [--save] [--redraw]`, or
 * `memory-savings [--rounds 3] [--quick]`.
 *
 * @throws {TypeError} for what makes no sense
 */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      against: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      quick: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      redraw: { type: 'boolean', default: false },
    },
  })
  const { against, quick, save, redraw } = values
  const only = values.only?.split(',')
  const rounds = Number(values.rounds)
  const savings = positionals[0] === SAVINGS
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError('--rounds is a whole number from 1')
  if (savings && (positionals.length > 1 || [only, against].some(value => value !== undefined) || save || redraw)) {
    throw new TypeError(`${SAVINGS} takes no more than --rounds and --quick`)
  }
  allKnown('contender', only ?? [], contenders)
  // What is saved is compared, and only what ran in turn can be.
  if (save && (quick || [only, against].some(value => value !== undefined))) {
    throw new TypeError('--save takes none of --quick, --only and --against')
  }
  return {
    taking: savings ? [] : taken(positionals, against !== undefined),
    rounds,
    size: quick ? 'quick' : 'full',
    savings,
    save,
    redraw,
    ...(only && { only }),
    ...(against !== undefined && { against }),
  }
}

function taken(names: readonly string[], comparing: boolean): readonly Workload[] {
  const known = comparing ? workloads.filter(workload => workload.contenders.includes('memory')) : workloads
  allKnown('workload', names, known)
  if (names.length > 0) return known.filter(({ name }) => names.includes(name))
  return comparing ? known.filter(({ name }) => COMPARED.includes(name)) : known
}

function allKnown(what: string, names: readonly string[], known: readonly { readonly name: string }[]): void {
  const unknown = names.find(name => !known.some(one => one.name === name))
  if (unknown === undefined) return
  throw new TypeError(`no ${what} is called ${unknown}: there are ${known.map(({ name }) => name).join(', ')}`)
}
