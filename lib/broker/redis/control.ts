import type { Buffer } from 'node:buffer'
import type { ControlMessage, DisconnectMessage } from '../broker.ts'

/** Says that the log has begun a new life. */
export const RENEWED = '{"type":"renewed"}'

/** Says that announcements are lost, which somebody had heard. */
export const FORGOTTEN = '{"type":"forgotten"}'

const REASONS = ['server', 'done', 'logout', 'revoked'] as const satisfies readonly DisconnectMessage['reason'][]

/** What came on the control channel: something we know, something that only a newer instance knows, or junk. */
export type Control = ControlMessage | { readonly type: 'renewed' | 'forgotten' | 'newer' | 'junk' }

/** Reads what came on the control channel. */
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
  if (type !== 'disconnect') return { type: 'newer' }
  if (typeof reason !== 'string') return { type: 'junk' }
  // A reason that only a newer instance knows ends the streams all the same.
  return { type, reason: REASONS.find(word => word === reason) ?? 'server', ...readFilter(filter) }
}

function readSupersession({ identity, streams }: Record<string, unknown>): Control {
  if (typeof identity !== 'string' || !Array.isArray(streams)) return { type: 'junk' }
  return { type: 'supersede', identity, streams: streams.filter(id => typeof id === 'string') }
}

function readFilter({ identity, session, token }: Record<string, unknown>): Partial<DisconnectMessage> {
  return {
    ...(typeof identity === 'string' && { identity }),
    ...(typeof session === 'string' && { session }),
    ...(typeof token === 'string' && { token }),
  }
}
