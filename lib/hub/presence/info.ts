import { Buffer } from 'node:buffer'
import { ignoreOutcome, isPromise } from '../../application.ts'
import { isPresenceTopic } from '../../topic.ts'

/** The most that may be said of somebody who is present, in bytes of JSON. */
export const MAX_INFO_BYTES = 1_024

/** What is known of somebody of whom nothing is said. */
export const NO_INFO = 'true'

/**
 * Checks the `presence` of a topic, and turns it to JSON: `undefined` where nobody is to be present.
 *
 * @throws {TypeError} for what is no JSON, or too long
 */
export function readPresence(topic: string, presence: unknown): string | undefined {
  if (presence === undefined || presence === false) return undefined
  if (isPresenceTopic(topic))
    throw new TypeError('nobody is present at a topic of `presenceOf()`: leave `presence` out')
  if (presence === true) return NO_INFO
  const text = jsonOf(presence)
  const bytes = Buffer.byteLength(text)
  if (bytes <= MAX_INFO_BYTES) return text
  throw new TypeError(
    `the \`presence\` of a topic is JSON of at most ${String(MAX_INFO_BYTES)} bytes, not of ${String(bytes)}`,
  )
}

function jsonOf(presence: unknown): string {
  if (isPromise(presence)) {
    ignoreOutcome(presence)
    throw junk('a promise: wait for it first')
  }
  let text: unknown
  try {
    text = JSON.stringify(presence)
  } catch (cause) {
    throw junk('something that JSON cannot hold', cause)
  }
  if (typeof text === 'string' && text !== 'null') return text
  throw junk(presence === null ? 'null' : `a ${typeof presence}`)
}

function junk(what: string, cause?: unknown): TypeError {
  const message = `the \`presence\` of a topic is true, or what is to be said of the identity as JSON, not ${what}`
  return new TypeError(message, cause === undefined ? {} : { cause })
}
