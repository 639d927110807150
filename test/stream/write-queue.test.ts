import test from 'ava'
import fc from 'fast-check'
import { WriteQueue, type Item } from '../../lib/stream/write-queue.ts'

const own = (text: string): Uint8Array => Buffer.from(text)
const shared = (text: string): Item => ({ frame: Buffer.from(text) })
const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString()

function queueOf(...items: Item[]): WriteQueue {
  const queue = new WriteQueue()
  for (const item of items) queue.add(item)
  return queue
}

test('bytes are taken out in their order, in pieces of at most what is asked for', t => {
  const queue = queueOf(own('abc'), shared('defg'), own('h'))
  t.is(queue.bytes, 8)
  t.is(text(queue.take(2)), 'ab')
  t.is(text(queue.take(3)), 'cde')
  t.is(queue.bytes, 3)
  t.is(text(queue.take(100)), 'fgh')
  t.is(queue.take(100), undefined)
  t.true(queue.isEmpty)
  t.is(queue.bytes, 0)
})

test('what comes out whole is not copied', t => {
  const item = own('abc')
  t.is(queueOf(item).take(3)?.buffer, item.buffer)
})

test('an empty piece is not kept: it would end a response in chunked coding', t => {
  const queue = queueOf(own(''), shared(''))
  t.true(queue.isEmpty)
  t.is(queue.take(10), undefined)
})

test('what is not to be kept is removed, but for what a part has been taken out of', t => {
  const [begun, gone, kept] = [shared('begun'), shared('gone'), own('kept')]
  const queue = queueOf(own('x'), begun, gone, kept)
  t.is(text(queue.take(3)), 'xbe')
  t.deepEqual(
    queue.retain(() => true),
    [],
  )
  t.deepEqual(
    queue.retain(item => item === kept),
    [gone],
  )
  t.is(queue.bytes, 'gunkept'.length)
  t.is(text(queue.take(100)), 'gunkept')
  const whole = queueOf(begun)
  t.deepEqual(
    whole.retain(() => false),
    [begun],
  )
  t.true(whole.isEmpty)
  t.is(whole.bytes, 0)
})

test('a queue that is cleared in the middle of an item begins anew', t => {
  const queue = queueOf(own('abc'))
  queue.take(1)
  queue.clear()
  t.true(queue.isEmpty)
  t.is(queue.bytes, 0)
  queue.add(own('def'))
  t.is(text(queue.take(100)), 'def')
})

test('whatever is added, taken out and removed, nothing is lost, doubled or reordered', t => {
  const step = fc.oneof(
    fc.record({ add: fc.string({ unit: 'grapheme-ascii', maxLength: 9 }) }),
    fc.record({ take: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ drop: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const queue = new WriteQueue()
      let model: { item: string; isBegun: boolean }[] = []
      for (const { add, take, drop } of steps as { add?: string; take?: number; drop?: string }[]) {
        if (add !== undefined) {
          queue.add(shared(add))
          if (add !== '') model.push({ item: add, isBegun: false })
        } else if (take !== undefined) {
          let out = ''
          for (let [first] = model; first !== undefined && out.length < take; [first] = model) {
            const part = first.item.slice(0, take - out.length)
            out += part
            if (part.length === first.item.length) model.shift()
            else model[0] = { item: first.item.slice(part.length), isBegun: true }
          }
          t.is(text(queue.take(take)) ?? '', out)
        } else if (drop !== undefined) {
          queue.retain(item => !text((item as { frame: Uint8Array }).frame)?.includes(drop))
          model = model.filter(({ item, isBegun }) => isBegun || !item.includes(drop))
        }
        t.is(queue.bytes, model.map(({ item }) => item).join('').length)
        t.is(queue.isEmpty, model.length === 0)
      }
    }),
  )
})
