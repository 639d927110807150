import type { Buffer } from 'node:buffer'
import type { Present } from '../../broker/roster.ts'
import { EventStreamError } from '../../errors.ts'
import { dataText } from '../../wire/event.ts'
import { encodeBody } from '../../wire/frame.ts'
import type { EventRules } from '../../wire/publication.ts'
import { NO_INFO } from './info.ts'

/** Somebody who is present. */
export interface PresenceMember {
  /** The identity's. */
  readonly id: string
  /** What the resolver has said of it, if anything. */
  readonly info?: unknown
}

/** Who is present at a topic. */
export interface Presence {
  /** How many there are. */
  readonly count: number
  /** All of them, in the order in which they came, or some of a larger crowd. */
  readonly members: readonly PresenceMember[]
}

/** What is known of a topic, for the application. */
export function presenceFrom({ count, members }: Present): Presence {
  return { count, members: members.map(memberFrom) }
}

/**
 * The event that tells who is present at a topic, without an id: all of them, or only their number where they are too many for
 * an event.
 *
 * @throws {EventStreamError} `ERR_EVENT_INVALID`, where the hub's `redact` fails
 */
export function encodePresence(topic: string, present: Present, rules: EventRules): Buffer {
  const { count, members } = presenceFrom(present)
  if (members.length === count) {
    const body = encode({ topic, count, members }, rules)
    if (body.length <= rules.maxEventBytes) return body
  }
  return encode({ topic, count }, rules)
}

function encode(state: object, { redact }: EventRules): Buffer {
  return encodeBody({ event: 'presence', data: dataText(state, redact), id: undefined })
}

function memberFrom({ id, info }: { readonly id: string; readonly info: string }): PresenceMember {
  if (info === NO_INFO) return { id }
  try {
    const said: unknown = JSON.parse(info)
    return { id, info: said }
  } catch (cause) {
    throw new EventStreamError('ERR_BROKER', 'what the roster says of somebody is no JSON', { cause })
  }
}
