import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import type { Broker } from '../../broker/broker.ts'
import type { StoredEvent } from '../../broker/event-log.ts'
import { parseCursor, type Position } from '../../wire/cursor.ts'
import { encodeBody } from '../../wire/frame.ts'

/** Brings all that there is of a topic's history within reach. */
export async function loaded(broker: Broker, topic: string): Promise<Broker> {
  await broker.load([topic], 0)
  return broker
}

/** Publishes events one after another, and answers their ids. */
export async function publishMany(broker: Broker, topic: string, count: number, size = 0): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n += 1) ids.push(await broker.publish([topic], body(String(n), size)))
  return ids
}

/** The lines of an event, padded so that its frame has about `size` bytes. */
export function body(text: string, size = 0): Buffer {
  const frame = encodeBody({ event: undefined, data: text, id: undefined })
  const idLine = 34
  return encodeBody({
    event: undefined,
    data: text.padEnd(text.length + size - frame.length - idLine, '.'),
    id: undefined,
  })
}

/** The id in an event's frame. */
export function idOf({ frame }: StoredEvent): string {
  return /^id: (.*)\n/.exec(Buffer.from(frame).toString())?.[1] ?? ''
}

/** Where an id stands in the log. */
export function at(id: string | undefined): Position {
  const cursor = parseCursor(id)
  if (typeof cursor !== 'object') assert.fail(`${String(id)} is no id of a log`)
  return cursor
}

export function only<T>(items: readonly T[]): T {
  const [item] = items
  if (item === undefined || items.length > 1) assert.fail(`${items.length} items instead of one`)
  return item
}

export function isRising(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? Infinity))
}

/** Checks some of the fields of an object. */
export function like<T extends object>(actual: T, expected: Partial<T>, message?: string): void {
  const some = Object.keys(expected).map(key => [key, (actual as Record<string, unknown>)[key]])
  assert.deepEqual(Object.fromEntries(some), expected, message)
}
