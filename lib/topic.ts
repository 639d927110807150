import { EventStreamError } from './errors.ts'

/** The longest topic name, in UTF-16 units. Topics become keys and channel names, which should stay small. */
export const MAX_TOPIC_LENGTH = 256

// Control characters, the space and lone surrogates are unsafe in a name that is logged and sent to other systems.
// eslint-disable-next-line no-control-regex -- control characters are what it matches
const UNSAFE = /[\u0000-\u0020\u007f-\u009f\ud800-\udfff]/u

// Wildcards in other systems, but not here: refuse them, or the application would not notice.
const WILDCARD = /[*#+>]/

// Contains a character that is not allowed in application topics, so it cannot collide.
const PRESENCE = 'presence>'

/**
 * Checks a topic name: a string of 1 to 256 characters without white space, control characters, `*`, `#`, `+` and `>`.
 *
 * @throws {EventStreamError} `ERR_TOPIC_INVALID`
 */
export function checkTopic(topic: unknown): string {
  if (typeof topic !== 'string')
    throw invalid(`a topic must be a string, not ${topic === null ? 'null' : typeof topic}`)
  if (topic === '') throw invalid('a topic must not be empty')
  if (topic.length > MAX_TOPIC_LENGTH)
    throw invalid(`a topic must not be longer than ${String(MAX_TOPIC_LENGTH)} characters`)
  if (UNSAFE.test(topic)) throw invalid(`the topic ${JSON.stringify(topic)} contains a space or a control character`)
  if (isPresenceTopic(topic)) {
    throw invalid(`the topic ${JSON.stringify(topic)} is a presence topic: only the library may publish to it`)
  }
  if (WILDCARD.test(topic)) {
    throw invalid(`the topic ${JSON.stringify(topic)} contains a wildcard (* # + >): publish to several topics instead`)
  }
  return topic
}

/**
 * Checks a topic for reading: one that may be published to, or the result of `presenceOf()`.
 *
 * @throws {EventStreamError} `ERR_TOPIC_INVALID`
 */
export function checkReadTopic(topic: unknown): string {
  if (!isPresenceTopic(topic)) return checkTopic(topic)
  checkTopic(topic.slice(PRESENCE.length))
  return topic
}

/**
 * The presence topic of a topic: its streams get the current members first, then each change. It cannot be published
 * to.
 *
 * subscribe: stream => [{ topic: 'room:7', presence: true }, presenceOf('room:7')]
 *
 * @throws {EventStreamError} `ERR_TOPIC_INVALID`
 */
export function presenceOf(topic: string): string {
  return PRESENCE + checkTopic(topic)
}

/** Whether this is a presence topic. */
export function isPresenceTopic(topic: unknown): topic is string {
  return typeof topic === 'string' && topic.startsWith(PRESENCE)
}

/** The topic that a presence topic belongs to. */
export function topicOfPresence(topic: string): string {
  return topic.slice(PRESENCE.length)
}

function invalid(message: string): EventStreamError {
  return new EventStreamError('ERR_TOPIC_INVALID', message)
}
