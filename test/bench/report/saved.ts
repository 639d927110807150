import { readFile } from 'node:fs/promises'
import type { Results } from '../run.ts'
import type { Measured } from '../targets.ts'
import type { Measures } from '../workload.ts'
import type { Machine } from './machine.ts'

/** A workload's last run. Workloads are run again one by one, so each tells when and where. */
export interface SavedRun {
  /** The day, in UTC. */
  readonly date: string
  /** Of which the measures are the medians. */
  readonly rounds: number
  readonly machine: Machine
  /** By contender. */
  readonly measures: Readonly<Record<string, Measures>>
}

/** The last runs, by workload. */
export type Saved = Readonly<Record<string, SavedRun>>

/** More digits are noise, and noise in every diff. */
const DIGITS = 4

export function measuresToSave(results: Results): SavedRun['measures'] {
  return Object.fromEntries(
    [...results].map(([contender, measures]) => [
      contender,
      Object.fromEntries(Object.entries(measures).map(([key, value]) => [key, Number(value.toPrecision(DIGITS))])),
    ]),
  )
}

export function resultsOf({ measures }: SavedRun): Results {
  return new Map(Object.entries(measures))
}

export function measuredOf(saved: Saved): Measured {
  return new Map(Object.entries(saved).map(([workload, run]) => [workload, resultsOf(run)]))
}

/** Reads what is saved in a file; nothing where there is no such file. */
export async function readSaved(file: string): Promise<Saved> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Saved
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}
