import { EventStreamError } from './errors.ts'

/** The longest topic name, in UTF-16 units. Topics become keys and channel names, which ought to stay small. */
export const MAX_TOPIC_LENGTH = 256

// Control characters, the space and lone surrogates have no place in a name that is logged and sent to other systems.
// eslint-disable-next-line no-control-regex -- control characters are exactly what it is there to find
const UNSAFE = /[\u0000-\u0020\u007f-\u009f\ud800-\udfff]/u

// Elsewhere these match many topics. Here they match none, and whoever uses them is to hear of it.
const WILDCARD = /[*#+>]/

/**
 * Checks a topic name: a string of 1 to 256 characters without white space, control characters, `*`, `#`, `+` and `>`.
 *
 * @throws {EventStreamError} `ERR_TOPIC_INVALID`
 */
export function checkTopic(topic: unknown): string {
  if (typeof topic !== 'string') throw invalid(`a topic is a string, not ${topic === null ? 'null' : typeof topic}`)
  if (topic === '') throw invalid('a topic cannot be empty')
  if (topic.length > MAX_TOPIC_LENGTH) throw invalid(`a topic has at most ${String(MAX_TOPIC_LENGTH)} characters`)
  if (UNSAFE.test(topic)) throw invalid(`the topic ${JSON.stringify(topic)} contains a space or a control character`)
  if (WILDCARD.test(topic)) {
    throw invalid(`the topic ${JSON.stringify(topic)} contains a wildcard (* # + >): publish to several topics instead`)
  }
  return topic
}

function invalid(message: string): EventStreamError {
  return new EventStreamError('ERR_TOPIC_INVALID', message)
}
