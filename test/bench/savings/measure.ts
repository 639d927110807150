import { build } from '../build.ts'
import { built } from '../contenders/built.ts'
import type { Contender } from '../contenders/contender.ts'
import { run, type RunOptions } from '../run.ts'
import { idleMemory } from './idle-memory.ts'
import { savings } from './list.ts'
import type { Saving } from './saving.ts'
import { savingsTable } from './table.ts'
import { buildWithout } from './without.ts'

/** The name of the library with all savings. */
export const WHOLE = 'as it is'

/** Measures what each saving saves, and prints it. */
export async function measureSavings({ rounds, size }: Pick<RunOptions, 'rounds' | 'size'>): Promise<void> {
  const compiled = await build()
  const results = await run(idleMemory, await lineUp(savings, compiled), { build: compiled, rounds, size })
  const about = `${idleMemory.about}, medians of ${rounds} rounds`
  console.log(`\n## memory savings\n\n${about}\n\n${savingsTable(idleMemory, results, WHOLE)}\n`)
}

/** The library as it is, twice to show what is noise, and without each saving. */
export async function lineUp(list: readonly Saving[], build: string): Promise<Contender[]> {
  const without: Contender[] = []
  for (const saving of list) without.push(built(`without ${saving.name}`, await buildWithout(saving, build)))
  return [built(WHOLE, build), built(`${WHOLE} (again)`, build), ...without]
}
