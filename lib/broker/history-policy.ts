import { callNow } from '../application.ts'
import { duration, fn, integer, knownKeys } from '../options.ts'

/** The default history of a topic, in events. */
export const DEFAULT_HISTORY_COUNT = 1_000
/** The default history of a topic, in bytes. */
export const DEFAULT_HISTORY_BYTES = 1_048_576
/** The default history of a topic, in milliseconds. */
export const DEFAULT_HISTORY_AGE = 300_000

/** The most idempotency keys that a log remembers, within the age of their topics' history. */
export const REMEMBERED_KEYS = 500_000

/** The limits of a topic's history. The first one reached applies; the newest event stays until it is too old. */
export interface HistoryLimits {
  /** Events per topic. */
  readonly count: number
  /** Bytes of frames per topic. */
  readonly bytes: number
  /** Milliseconds. */
  readonly age: number
}

/** The application's options for history. */
export interface HistoryOptions {
  /** Events kept per topic. Default 1,000. */
  count?: number | undefined
  /** Bytes kept per topic. Default 1 MiB. */
  bytes?: number | undefined
  /** Milliseconds an event is kept. Default 300,000 (5 minutes). */
  age?: number | undefined
  /**
   * Limits for one topic, instead of those above; `undefined`, or an omitted limit, for those above. Called when a
   * topic is published to, or first subscribed to; synchronous. If it throws, or returns a promise or anything else,
   * the limits above apply, and it is reported: the hub emits `fault` (`during: 'history.of'`), or without a hub the
   * process emits a warning. Default: none.
   */
  of?: ((topic: string) => Pick<HistoryOptions, 'count' | 'bytes' | 'age'> | undefined) | undefined
}

const LIMITS = ['count', 'bytes', 'age'] as const

/** The history limits of each topic. */
export class HistoryPolicy {
  /** The limits of topics without limits of their own. */
  readonly common: HistoryLimits
  /** Called with errors of `history.of`. */
  failed: (error: unknown) => void = warnOnce
  readonly #of: HistoryOptions['of']

  /**
   * @param others names of further options, checked by the caller
   * @throws {TypeError} naming the invalid option
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

// Warns once, since it is called for each event. The error's message may contain secrets.
function warnOnce(error: unknown): void {
  if (hasWarned) return
  hasWarned = true
  const kind = error instanceof Error ? error.name : typeof error
  const message = `\`history.of\` failed (${kind}), so the common limits apply to the topic. This warning is shown once.`
  process.emitWarning(message, { type: 'KoaEventStreamWarning', code: 'HISTORY_OF' })
}
