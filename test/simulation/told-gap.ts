import type { Gap } from '../../lib/wire/frame.ts'
import type { Ledger } from './ledger.ts'

/** A gap at the moment in which a stream was told of it, before its client reads that. */
export interface ToldGap {
  readonly gap: Gap
  /** How many events the log had taken by then, and which life it was in. */
  readonly count: number
  readonly life: number
  readonly epoch: string
  /** In which life its instance was. */
  readonly here: string
  /** Of each topic, in the instance's life of the log, up to where history may have been gone. */
  readonly goneTo: ReadonlyMap<string, number>
  /** Of each topic up to where the log has forgotten, if there is nothing newer, whether it had any. */
  readonly forgottenTo: ReadonlyMap<string, number>
  /** For how many milliseconds the instance may have heard nothing of the log. */
  readonly silentFor: number
}

/** How long it may take until an instance notices that it hears nothing, and until it has told everybody, in milliseconds. */
export const MARGIN = 4_000

/** Which gaps there are in history at this moment, for a client that knows a life of the log. */
export function toldNow(ledger: Ledger, gap: Gap, here: string, silentFor: number): ToldGap {
  const { epoch, life, count } = ledger
  const goneTo = new Map(gap.topics.map(topic => [topic, ledger.goneTo(here, topic)]))
  const forgottenTo = new Map(gap.topics.map(topic => [topic, ledger.forgottenTo(topic)]))
  return { gap, count, life, epoch, here, goneTo, forgottenTo, silentFor }
}
