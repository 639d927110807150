import { EventStreamError } from './errors.ts'

/** The longest topic name, in UTF-16 units. Topics become keys and channel names, which ought to stay small. */
export const MAX_TOPIC_LENGTH = 256

// Control characters, the space and lone surrogates have no place in a name that is logged and sent to other systems.
// eslint-disable-next-line no-control-regex -- control characters are exactly what it is there to find
const UNSAFE = /[\u0000-\u0020\u007f-\u009f\ud800-\udfff]/u

// Elsewhere these match many topics. Here they match none, and whoever uses them is to hear of it.
const WILDCARD = /[*#+>]/

// With a character that topics of applications do not have: nobody publishes there but the library, and nothing collides.
const PRESENCE = 'presence>'

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
  if (isPresenceTopic(topic)) {
    throw invalid(`the topic ${JSON.stringify(topic)} tells who is present: the library alone publishes there`)
  }
  if (WILDCARD.test(topic)) {
    throw invalid(`the topic ${JSON.stringify(topic)} contains a wildcard (* # + >): publish to several topics instead`)
  }
  return topic
}

/**
 * Checks the name of a topic that a stream may have: one that may be published to, or what `presenceOf()` answers.
 *
 * @throws {EventStreamError} `ERR_TOPIC_INVALID`
 */
export function checkReadTopic(topic: unknown): string {
  if (!isPresenceTopic(topic)) return checkTopic(topic)
  checkTopic(topic.slice(PRESENCE.length))
  return topic
}

/**
 * The topic that tells who is present at another one, to streams that have it: each newcomer is told, and then each change.
 * Nobody can publish to it.
 *
 *     subscribe: stream => [{ topic: 'room:7', presence: true }, presenceOf('room:7')]
 *
 * @throws {EventStreamError} `ERR_TOPIC_INVALID`
 */
export function presenceOf(topic: string): string {
  return PRESENCE + checkTopic(topic)
}

/** Whether this is the topic that tells who is present at another one. */
export function isPresenceTopic(topic: unknown): topic is string {
  return typeof topic === 'string' && topic.startsWith(PRESENCE)
}

/** The topic of which a topic tells who is present there. */
export function topicOfPresence(topic: string): string {
  return topic.slice(PRESENCE.length)
}

function invalid(message: string): EventStreamError {
  return new EventStreamError('ERR_TOPIC_INVALID', message)
}
