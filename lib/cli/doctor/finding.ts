/** What has been looked at. The vocabulary is closed, for scripts. */
export type Check =
  'answer' | 'buffering' | 'compression' | 'caching' | 'http' | 'last-event-id' | 'resume' | 'cors' | 'idle'

/**
 * `ok`; `warning`: it works, and could be better; `problem`: events are late, lost or come not at all; `unknown`: it could
 * not be found out, and says why.
 */
export type Level = 'ok' | 'warning' | 'problem' | 'unknown'

export interface Finding {
  readonly check: Check
  readonly level: Level
  /** What was seen. */
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
