import { judge } from '../targets.ts'
import { describeMachine } from './machine.ts'
import { measuredOf, type Saved } from './saved.ts'
import { verdictTable } from './verdicts.ts'

/** What the README of the project is to be marked with. */
export const SECTION = 'bench'

/** The part of the results that fits into the README of the project: each target, and what was measured. */
export function summary(saved: Saved): string {
  const machines = new Set(Object.values(saved).map(({ date, machine }) => `${date}, ${describeMachine(machine)}`))
  return `${verdictTable(judge(measuredOf(saved)))}\n\nMeasured on ${[...machines].join('; ')}.\n`
}
