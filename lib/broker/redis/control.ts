import type { Buffer } from 'node:buffer'
import type { AnswerMessage, ControlMessage, DisconnectMessage, SubscriptionsMessage } from '../broker.ts'

/** The log has a new epoch. */
export const RENEWED = '{"type":"renewed"}'

/** Announcements are lost that an instance had received. */
export const FORGOTTEN = '{"type":"forgotten"}'

const REASONS = ['server', 'done', 'logout', 'revoked'] as const satisfies readonly DisconnectMessage['reason'][]

/** A control message: a known one, one that only newer versions know, or junk. */
export type Control =
  | ControlMessage
  | { readonly type: 'renewed' }
  | { readonly type: 'forgotten' }
  | { readonly type: 'newer' }
  | { readonly type: 'junk' }

/** Parses a control message. */
export function readControl(payload: Buffer): Control {
  let value: unknown
  try {
    value = JSON.parse(payload.toString())
  } catch {
    return { type: 'junk' }
  }
  if (typeof value !== 'object' || value === null) return { type: 'junk' }
  const { type, reason, ...filter } = value as Record<string, unknown>
  if (type === 'renewed' || type === 'forgotten') return { type }
  if (typeof type !== 'string') return { type: 'junk' }
  if (type === 'supersede') return readSupersession(filter)
  if (type === 'subscriptions') return readSubscriptions(filter)
  if (type === 'answer') return readAnswer(filter)
  if (type === 'survey') return readSurvey(filter)
  if (type === 'survey-answer') return readSurveyAnswer(filter)
  if (type !== 'disconnect') return { type: 'newer' }
  if (typeof reason !== 'string') return { type: 'junk' }
  // A reason known only to newer versions ends the streams all the same.
  return { type, reason: REASONS.find(word => word === reason) ?? 'server', ...readFilter(filter) }
}

function readSupersession({ identity, streams }: Record<string, unknown>): Control {
  if (typeof identity !== 'string' || !Array.isArray(streams)) return { type: 'junk' }
  return { type: 'supersede', identity, streams: streams.filter(id => typeof id === 'string') }
}

function readSubscriptions(message: Record<string, unknown>): Control {
  const { question, stream, subscribe, unsubscribe, decided, age, seen } = message
  const { token, ...filter } = readFilter(message)
  if (typeof question !== 'string' || typeof decided !== 'string' || typeof seen !== 'string') return { type: 'junk' }
  if (!isCount(age)) return { type: 'junk' }
  if (!isTexts(subscribe) || !isTexts(unsubscribe)) return { type: 'junk' }
  const change = { question, ...filter, subscribe, unsubscribe, decided, age, seen } satisfies Omit<
    SubscriptionsMessage,
    'type'
  >
  // Without any of these it would match no stream, or all.
  if (typeof stream === 'string') return { type: 'subscriptions', ...change, stream }
  return Object.keys(filter).length === 0 ? { type: 'junk' } : { type: 'subscriptions', ...change }
}

function readAnswer({ question, instance, streams, refused }: Record<string, unknown>): Control {
  if (typeof question !== 'string' || typeof instance !== 'string') return { type: 'junk' }
  if (!isCount(streams) || !isCount(refused)) return { type: 'junk' }
  return { type: 'answer', question, instance, streams, refused } satisfies AnswerMessage
}

function readSurvey({ question, about, body }: Record<string, unknown>): Control {
  if (typeof question !== 'string' || typeof about !== 'string') return { type: 'junk' }
  return { type: 'survey', question, about, body }
}

function readSurveyAnswer({ question, instance, body }: Record<string, unknown>): Control {
  if (typeof question !== 'string' || typeof instance !== 'string') return { type: 'junk' }
  return { type: 'survey-answer', question, instance, body }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string')
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function readFilter({ identity, session, token }: Record<string, unknown>): Omit<DisconnectMessage, 'type' | 'reason'> {
  return {
    ...(typeof identity === 'string' && { identity }),
    ...(typeof session === 'string' && { session }),
    ...(typeof token === 'string' && { token }),
  }
}
