import { callNow } from '../application.ts'
import { duration, fn, integer, knownKeys } from '../options.ts'

/** How many events a topic remembers, unless told otherwise. */
export const DEFAULT_HISTORY_COUNT = 1_000
/** How many bytes a topic remembers, unless told otherwise. */
export const DEFAULT_HISTORY_BYTES = 1_048_576
/** How many milliseconds a topic remembers, unless told otherwise. */
export const DEFAULT_HISTORY_AGE = 300_000

/** How many keys of publishes a log remembers at once, within the age of their topics' history. */
export const REMEMBERED_KEYS = 500_000

/** How much of a topic is remembered. Whatever is reached first counts; the newest event stays until it is too old. */
export interface HistoryLimits {
  /** Events a topic. */
  readonly count: number
  /** Bytes of frames a topic. */
  readonly bytes: number
  /** Milliseconds. */
  readonly age: number
}

/** What topics remember, as an application states it. */
export interface HistoryOptions {
  /** Events remembered a topic. Default 1,000. */
  count?: number | undefined
  /** Bytes remembered a topic. Default 1 MiB. */
  bytes?: number | undefined
  /** Milliseconds an event is remembered. Default 300,000 (5 minutes). */
  age?: number | undefined
  /**
   * Limits of a topic's own, in place of those above; `undefined`, or a limit that is left out, for those above. Asked
   * when a topic is published to, or is first listened to, and has to answer at once. Where it throws, or answers a
   * promise or anything else, the limits above go for the topic, and it is told: the hub's `fault` (`during:
   * 'history.of'`), or a warning of the process where there is no hub. Default: none.
   */
  of?: ((topic: string) => Pick<HistoryOptions, 'count' | 'bytes' | 'age'> | undefined) | undefined
}

const LIMITS = ['count', 'bytes', 'age'] as const

/** What each topic remembers. */
export class HistoryPolicy {
  /** The limits of topics that have none of their own. */
  readonly common: HistoryLimits
  /** Is told what `history.of` did wrong. */
  failed: (error: unknown) => void = warnOnce
  readonly #of: HistoryOptions['of']

  /**
   * @param others names of further options, which the caller checks
   * @throws {TypeError} that names the wrong option
   */
  constructor(options: HistoryOptions = {}, others: readonly string[] = []) {
    knownKeys('history', options, [...LIMITS, 'of', ...others])
    this.common = checkLimits('history', options, {
      count: DEFAULT_HISTORY_COUNT,
      bytes: DEFAULT_HISTORY_BYTES,
      age: DEFAULT_HISTORY_AGE,
    })
    this.#of = options.of === undefined ? undefined : fn('history.of', options.of)
  }

  /** The limits of a topic. Never throws. */
  limitsOf(topic: string): HistoryLimits {
    const of = this.#of
    if (of === undefined) return this.common
    try {
      const limits = callNow('`history.of`', () => of(topic))
      if (limits === undefined) return this.common
      knownKeys('history.of', limits, LIMITS)
      return checkLimits('history.of', limits, this.common)
    } catch (error) {
      this.failed(error)
      return this.common
    }
  }
}

function checkLimits(name: string, { count, bytes, age }: HistoryOptions, preset: HistoryLimits): HistoryLimits {
  return Object.freeze({
    count: integer(`${name}.count`, count, { default: preset.count }),
    bytes: integer(`${name}.bytes`, bytes, { default: preset.bytes }),
    age: duration(`${name}.age`, age, { default: preset.age }),
  })
}

let hasWarned = false

// A warning for each event would be a flood. Messages of errors may hold what nobody is to read in a log.
function warnOnce(error: unknown): void {
  if (hasWarned) return
  hasWarned = true
  const kind = error instanceof Error ? error.name : typeof error
  const message = `\`history.of\` failed (${kind}), so the common limits go for the topic. This is said once.`
  process.emitWarning(message, { type: 'KoaEventStreamWarning', code: 'HISTORY_OF' })
}
