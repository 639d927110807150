import { judge } from '../targets.ts'
import { describeMachine } from './machine.ts'
import { measuredOf, type Saved } from './saved.ts'
import { verdictTable } from './verdicts.ts'

/** What docs/speed.md is marked with. */
export const SECTION = 'bench'

/** The part of the results that go into docs/speed.md: each target, and what was measured. */
export function summary(saved: Saved): string {
  const machines = new Set(Object.values(saved).map(({ date, machine }) => `${date}, ${describeMachine(machine)}`))
  return `${verdictTable(judge(measuredOf(saved)))}\n\nMeasured on ${[...machines].join('; ')}.\n`
}
