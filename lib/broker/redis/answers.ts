import type { Buffer } from 'node:buffer'
import { EventStreamError } from '../../errors.ts'

/** Replies of scripts are bytes, lists and nil. Anything else is an `ERR_BROKER`. */

export function list(answer: unknown): unknown[] {
  if (Array.isArray(answer)) return answer
  throw unexpected()
}

export function bytes(answer: unknown): Buffer {
  if (answer instanceof Uint8Array) return answer as Buffer
  throw unexpected()
}

export function text(answer: unknown): string {
  return bytes(answer).toString('latin1')
}

export function number(answer: unknown): number {
  return integer(text(answer))
}

/** Parses digits in a reply. */
export function integer(digits: string | undefined): number {
  const value = Number(digits)
  if (Number.isSafeInteger(value)) return value
  throw unexpected()
}

export function unexpected(): EventStreamError {
  return new EventStreamError('ERR_BROKER', 'unexpected reply from Redis, not from a script of this package')
}
