import type { Buffer } from 'node:buffer'
import { EventStreamError } from '../../errors.ts'

/** What scripts answer is bytes, lists and nothing. Whatever else comes is an `ERR_BROKER`. */

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

/** Reads digits, as a part of an answer. */
export function integer(digits: string | undefined): number {
  const value = Number(digits)
  if (Number.isSafeInteger(value)) return value
  throw unexpected()
}

export function unexpected(): EventStreamError {
  return new EventStreamError('ERR_BROKER', 'Redis answered something that no script of this package answers')
}
