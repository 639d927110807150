import { Buffer } from 'node:buffer'
import test from 'ava'
import fc from 'fast-check'
import type { BareEvent, End } from '../../lib/relay/batch.ts'
import { RunEncoder } from '../../lib/relay/run-encoder.ts'
import { RunLog, type Portion } from '../../lib/relay/run-log.ts'
import { encodeEvent } from '../../lib/wire/frame.ts'

const RULES = { maxEventBytes: 262_144, redact: undefined }
const DONE: End = { kind: 'done', reason: 'end' }

test('readers at the same place are handed the same bytes, until there is more', t => {
  const log = new RunLog(1_000)
  const encoder = new RunEncoder(log, 'run', RULES)
  log.append({ first: 1, events: [[null, 'a']] })
  const [first] = encoder.after(0)
  t.is([...encoder.after(0)][0]?.chunk, first?.chunk)
  t.is(String(first?.chunk.framed), '13\r\nid: run-1\ndata: a\n\n\r\n')
  log.append({ first: 2, events: [['token', 'b']] })
  t.is(textOf(encoder.after(0)), 'id: run-1\ndata: a\n\nid: run-2\nevent: token\ndata: b\n\n')
  t.is(textOf(encoder.after(1)), 'id: run-2\nevent: token\ndata: b\n\n')
  t.true(encoder.after(2).isEmpty)
  log.append(DONE)
  t.is(textOf(encoder.after(2)), 'id: run-3\nevent: done\ndata: {"reason":"end"}\n\n')
})

test('the end is a piece of its own, and no piece is larger than 16 KiB unless an event is', t => {
  const log = new RunLog(1_000_000)
  log.append({ first: 1, events: [5_000, 5_000, 5_000, 5_000, 20_000, 100].map(size => [null, 'x'.repeat(size)]) })
  log.append(DONE)
  const pieces = [...new RunEncoder(log, 'run', RULES).whole()]
  t.deepEqual(
    pieces.map(({ last }) => last),
    [3, 4, 5, 6, 7],
  )
})

test('whatever is shared, each reader gets the bytes that it would get alone', t => {
  const event: fc.Arbitrary<BareEvent> = fc.tuple(
    fc.constantFrom(null, 'token', 'tool call'),
    fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a\nb\r\n', 'x'.repeat(9_000), 'y'.repeat(20_000))),
  )
  const step = fc.oneof(
    { weight: 2, arbitrary: fc.record({ say: fc.array(event, { minLength: 1, maxLength: 5 }) }) },
    {
      weight: 3,
      arbitrary: fc.record({ reader: fc.nat(5), from: fc.nat(30), pieces: fc.integer({ min: 1, max: 3 }) }),
    },
  )
  const script = fc.record({ steps: fc.array(step, { maxLength: 30 }), isCompact: fc.boolean(), isLong: fc.boolean() })
  fc.assert(
    fc.property(script, ({ steps, isCompact, isLong }) => {
      const log = new RunLog(isLong ? 30_000 : 1_000_000, isCompact ? joined : undefined)
      const encoder = new RunEncoder(log, 'run', RULES)
      const readers = new Map<number, Reader>()
      for (const step of steps) {
        if ('say' in step) log.append({ first: log.last + 1, events: step.say })
        else {
          const reader = readers.get(step.reader) ?? new Reader(log, encoder, Math.min(step.from, log.last))
          readers.set(step.reader, reader)
          reader.read(step.pieces)
        }
      }
      log.append(DONE)
      for (const reader of readers.values()) {
        reader.read(Infinity)
        t.is(String(Buffer.concat(reader.shared)), String(Buffer.concat(reader.alone)))
        t.true(reader.at > log.last)
      }
    }),
    { numRuns: 300 },
  )
})

/** Reads a run piece by piece, as others do, and event by event, as if it were the only one. */
class Reader {
  readonly shared: Buffer[] = []
  readonly alone: Buffer[] = []
  at: number
  readonly #log: RunLog
  readonly #encoder: RunEncoder

  constructor(log: RunLog, encoder: RunEncoder, from: number) {
    this.#log = log
    this.#encoder = encoder
    this.at = from
  }

  read(pieces: number): void {
    const isNew = this.at === 0
    const { events }: Portion = isNew ? this.#log.whole() : this.#log.after(this.at)
    let count = 0
    for (const { chunk, last } of isNew ? this.#encoder.whole() : this.#encoder.after(this.at)) {
      this.shared.push(chunk.bytes)
      this.at = last
      count += 1
      if (count >= pieces) break
    }
    for (const { number, event } of events) {
      const [name, data] = event
      if (number <= this.at) this.alone.push(encodeEvent({ event: name ?? undefined, data, id: `run-${number}` }))
    }
  }
}

function joined(events: readonly BareEvent[]): BareEvent {
  return ['text', events.map(([, data]) => data).join('')]
}

function textOf(portion: Iterable<{ readonly chunk: { readonly bytes: Buffer } }>): string {
  return String(Buffer.concat([...portion].map(({ chunk }) => chunk.bytes)))
}
