import { Buffer } from 'node:buffer'
import { ignoreOutcome, isPromise } from '../../application.ts'
import { isPresenceTopic } from '../../topic.ts'

/** The longest info about a present identity, in bytes of JSON. */
export const MAX_INFO_BYTES = 1_024

/** Represents `presence: true`: present without info. */
export const NO_INFO = 'true'

/**
 * Checks the `presence` of a topic, and returns it as JSON; `undefined` for `false` or without one.
 *
 * @throws {TypeError} if it is not JSON, or too long
 */
export function readPresence(topic: string, presence: unknown): string | undefined {
  if (presence === undefined || presence === false) return undefined
  if (isPresenceTopic(topic))
    throw new TypeError('a topic of `presenceOf()` has no presence itself: leave `presence` out')
  if (presence === true) return NO_INFO
  const text = jsonOf(presence)
  const bytes = Buffer.byteLength(text)
  if (bytes <= MAX_INFO_BYTES) return text
  throw new TypeError(
    `the \`presence\` of a topic must be JSON of at most ${String(MAX_INFO_BYTES)} bytes, not of ${String(bytes)}`,
  )
}

function jsonOf(presence: unknown): string {
  if (isPromise(presence)) {
    ignoreOutcome(presence)
    throw junk('a promise: await it first')
  }
  let text: unknown
  try {
    text = JSON.stringify(presence)
  } catch (cause) {
    throw junk('a value that JSON cannot represent', cause)
  }
  if (typeof text === 'string' && text !== 'null') return text
  throw junk(presence === null ? 'null' : `a ${typeof presence}`)
}

function junk(what: string, cause?: unknown): TypeError {
  const message = `the \`presence\` of a topic must be true, or info about the identity as JSON, not ${what}`
  return new TypeError(message, cause === undefined ? {} : { cause })
}
