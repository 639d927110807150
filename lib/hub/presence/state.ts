import type { Buffer } from 'node:buffer'
import type { Present } from '../../broker/roster.ts'
import { EventStreamError } from '../../errors.ts'
import { dataText } from '../../wire/event.ts'
import { encodeBody } from '../../wire/frame.ts'
import type { EventRules } from '../../wire/publication.ts'
import { NO_INFO } from './info.ts'

/** An identity that is present. */
export interface PresenceMember {
  /** The `id` of the identity. */
  readonly id: string
  /** The info that the resolver returned about it, if any. */
  readonly info?: unknown
}

/** Who is present at a topic. */
export interface Presence {
  /** The number of identities present. */
  readonly count: number
  /** All of them in order of joining, or some of them if there are too many. */
  readonly members: readonly PresenceMember[]
}

/** The presence of a topic, for the application. */
export function presenceFrom({ count, members }: Present): Presence {
  return { count, members: members.map(memberFrom) }
}

/**
 * The event with the presence of a topic, without an id: the count and all members, or only the count if the members
 * are too many for an event.
 *
 * @throws {EventStreamError} `ERR_EVENT_INVALID`, if the hub's `redact` fails
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
    throw new EventStreamError('ERR_BROKER', 'the info of a member in the roster is not JSON', { cause })
  }
}
