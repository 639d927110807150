import type { Buffer } from 'node:buffer'
import type { ControlMessage } from '../broker.ts'

/** Says that the log has begun a new life. */
export const RENEWED = '{"type":"renewed"}'

const REASONS = ['server', 'done', 'logout', 'revoked'] as const satisfies readonly ControlMessage['reason'][]

/** Reads what came on the control channel; `undefined` for what no instance of this version has sent. */
export function readControl(payload: Buffer): ControlMessage | { readonly type: 'renewed' } | undefined {
  let value: unknown
  try {
    value = JSON.parse(payload.toString())
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { type, reason, ...filter } = value as Record<string, unknown>
  if (type === 'renewed') return { type }
  const known = REASONS.find(word => word === reason)
  if (type !== 'disconnect' || known === undefined) return undefined
  return { type, reason: known, ...readFilter(filter) }
}

function readFilter({ identity, session, token }: Record<string, unknown>): Partial<ControlMessage> {
  return {
    ...(typeof identity === 'string' && { identity }),
    ...(typeof session === 'string' && { session }),
    ...(typeof token === 'string' && { token }),
  }
}
