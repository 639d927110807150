/** The checks. A closed vocabulary, for scripts. */
export type Check =
  'answer' | 'buffering' | 'compression' | 'caching' | 'http' | 'last-event-id' | 'resume' | 'cors' | 'idle'

/**
 * `ok`; `warning`: it works, but could be better; `problem`: events are late, lost or never arrive; `unknown`:
 * undetermined, with the reason.
 */
export type Level = 'ok' | 'warning' | 'problem' | 'unknown'

export interface Finding {
  readonly check: Check
  readonly level: Level
  /** The observation. */
  readonly seen: string
  /** What to do about it. */
  readonly cure?: string
}

export const ok = (check: Check, seen: string): Finding => ({ check, level: 'ok', seen })
export const warning = (check: Check, seen: string, cure: string): Finding => ({ check, level: 'warning', seen, cure })
export const problem = (check: Check, seen: string, cure: string): Finding => ({ check, level: 'problem', seen, cure })
export const unknown = (check: Check, seen: string): Finding => ({ check, level: 'unknown', seen })

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
