import { randomBytes } from 'node:crypto'
import { constants, crc32, createDeflateRaw, createInflateRaw, gunzipSync, inflateRawSync } from 'node:zlib'
import test from 'ava'
import { Cohorts, MAX_COHORTS } from '../../lib/compression/cohorts.ts'
import { shift } from '../../lib/compression/crc.ts'
import { createDeflater, deflateAlone, DictionaryDeflater, WINDOW_BYTES } from '../../lib/compression/deflater.ts'
import { EMPTY_BLOCK, HEADER, stored, trailer } from '../../lib/compression/gzip.ts'
import { Place } from '../../lib/compression/place.ts'
import { Chunk } from '../../lib/wire/chunk.ts'

test('the CRC of two parts is made from theirs', t => {
  for (const [a, b] of [
    [0, 0],
    [0, 5],
    [5, 0],
    [1, 1],
    [141, 65_536],
    [3, 100_001],
  ] as const) {
    const [first, second] = [randomBytes(a), randomBytes(b)]
    const combined = shift(crc32(first) | 0, b) ^ crc32(second)
    t.is(combined >>> 0, crc32(Buffer.concat([first, second])), `${a} and ${b}`)
  }
  // Longer than what fits 32 bits: twice the half is the whole.
  const half = 2 ** 35 + 12_345
  t.is(shift(shift(0x1234567, half), half), shift(0x1234567, 2 * half))
})

test('stored blocks of every length, an empty one and a trailer make a gzip file', t => {
  for (const length of [1, 65_535, 65_536, 200_000]) {
    const bytes = randomBytes(length)
    const file = Buffer.concat([HEADER, stored(bytes), EMPTY_BLOCK, trailer(crc32(bytes) | 0, length)])
    t.deepEqual(gunzipSync(file), bytes)
  }
  t.is(stored(Buffer.alloc(0)).length, 0)
  t.deepEqual(gunzipSync(Buffer.concat([HEADER, trailer(0, 0)])), Buffer.alloc(0))
  t.is(Buffer.from(trailer(0, 2 ** 32 + 5)).readUInt32LE(9), 5, 'the length is counted modulo 2 to the power of 32')
})

const FINISHED = { finishFlush: constants.Z_SYNC_FLUSH }

const engines = { native: createDeflater, dictionary: () => new DictionaryDeflater() }

for (const [name, create] of Object.entries(engines)) {
  test(`${name}: each piece is whole, refers to the window, and to nothing once it has begun anew`, async t => {
    const deflater = create()
    const row = (n: number) => Buffer.from(`<tr><td class="name">row ${n}</td><td>${(n * 7_919) % 1_000}</td></tr>\n`)
    const inflate = createInflateRaw()
    const inflated: Buffer[] = []
    inflate.on('data', (bytes: Buffer) => inflated.push(bytes))
    const pieces: Uint8Array[] = []
    const expected: Buffer[] = []
    for (let n = 0; n < 1_000; n += 1) {
      if (n === 700) deflater.begin()
      const bytes = n === 500 ? randomBytes(60_000) : row(n)
      const piece = deflater.compress(bytes)
      pieces.push(piece)
      expected.push(bytes)
      await new Promise(resolve => inflate.write(piece, resolve))
      t.is(sizeOf(inflated), sizeOf(expected), 'all can be read at once')
    }
    t.deepEqual(Buffer.concat(inflated), Buffer.concat(expected))
    t.true((pieces[400]?.length ?? Infinity) * 3 < row(400).length)
    t.deepEqual(inflateRawSync(pieces[700] ?? Buffer.alloc(0), FINISHED), row(700))
    t.throws(() => inflateRawSync(pieces[710] ?? Buffer.alloc(0), FINISHED), { message: /distance/ })
    // No further back than the window: whoever has that much in common can read it.
    const noise = randomBytes(WINDOW_BYTES)
    const [far, near] = [Buffer.from('far '.repeat(20)), noise.subarray(0, 100)]
    deflater.compress(far)
    deflater.compress(noise)
    const last = deflater.compress(Buffer.concat([far, near]))
    t.deepEqual(inflateRawSync(last, { ...FINISHED, dictionary: noise }), Buffer.concat([far, near]))
    deflater.close()
  })
}

test('the native half is there, and a piece alone needs nothing', t => {
  t.not(createDeflater().constructor, DictionaryDeflater)
  for (const bytes of [randomBytes(70_000), Buffer.alloc(300_000), Buffer.from('one')]) {
    t.deepEqual(inflateRawSync(deflateAlone(bytes), FINISHED), bytes)
  }
})

interface Handle {
  onerror(message: string, errno: number, code: string): void
}
type Failure = (this: Handle) => void

const failures: Record<string, Failure> = {
  'throws an error': () => {
    throw new Error('no such call')
  },
  // Without memory.
  'reports an error'() {
    this.onerror('insufficient memory', -4, 'Z_MEM_ERROR')
  },
}

/** Fails in place of zlib, once it has written so many times more. */
let failure: { readonly fail: Failure; left: number } | undefined

/** Runs with a zlib that fails after so many writes. */
function withFailing<T>(fail: Failure, left: number, run: () => T): T {
  failure = { fail, left }
  try {
    return run()
  } finally {
    failure = undefined
  }
}

// The native half of all compressors. Before the first is made, as they keep the method.
const handle = Object.getPrototypeOf(Reflect.get(createDeflateRaw(), '_handle')) as object
const writeSync = Reflect.get(handle, 'writeSync') as Failure
Reflect.set(handle, 'writeSync', function (this: Handle, ...rest: []) {
  const fails = failure !== undefined && failure.left-- <= 0
  Reflect.apply(fails ? (failure?.fail ?? writeSync) : writeSync, this, rest)
})

const moments = Object.entries({ 'at the beginning of a piece': 0, 'in the middle of a piece': 1 })

for (const [how, fail, when, writes] of Object.entries(failures).flatMap(failure =>
  moments.map(moment => [...failure, ...moment] as const),
)) {
  // More than one write each. They differ, as what failed must not leave in the place of one another.
  const rows = Array.from({ length: 4 }, () => randomBytes(100_000))

  test(`once zlib ${how} ${when}, pieces are stored`, t => {
    const deflater = createDeflater()
    const pieces = rows.map((row, i) => {
      if (i === 3) deflater.begin()
      const piece = i === 2 ? withFailing(fail, writes, () => deflater.compress(row)) : deflater.compress(row)
      t.is(deflater.hasFailed, i >= 2)
      return piece
    })
    t.true(inflateRawSync(Buffer.concat(pieces), FINISHED).equals(Buffer.concat(rows)))
    deflater.close()
  })

  test(`dictionary: where zlib ${how} ${when}, this piece is stored, and the next one may refer to it`, t => {
    const deflater = new DictionaryDeflater()
    const [first, second] = rows
    if (first === undefined || second === undefined) return t.fail('no rows')
    const end = second.subarray(-1_000)
    const pieces = [
      deflater.compress(first),
      withFailing(fail, writes, () => deflater.compress(second)),
      deflater.compress(end),
    ]
    t.true(inflateRawSync(Buffer.concat(pieces), FINISHED).equals(Buffer.concat([first, second, end])))
    t.true((pieces[1]?.length ?? 0) > second.length)
    t.true((pieces[2]?.length ?? Infinity) < 100)
  })

  test(`where zlib ${how} ${when}, a piece alone is stored, and the next one is compressed`, t => {
    const rest = Buffer.alloc(100_000)
    // What went before must not be in either.
    deflateAlone(rest)
    for (const [row] of [rows, rows.slice(1)]) {
      if (row === undefined) return t.fail('no row')
      const piece = withFailing(fail, writes, () => deflateAlone(row))
      t.true(inflateRawSync(piece, FINISHED).equals(row))
      t.true(piece.length > row.length)
      const next = deflateAlone(rest)
      t.true(inflateRawSync(next, FINISHED).equals(rest))
      t.true(next.length < 1_000)
    }
  })
}

test('cohorts are bounded, and gone with their last stream', t => {
  const cohorts = new Cohorts({ isShared: topic => topic !== 'own' })
  t.is(cohorts.enter(['own']), undefined)
  t.is(cohorts.enter([]), undefined)
  const all = Array.from({ length: MAX_COHORTS }, (_, n) => cohorts.enter(['own', `room:${n}`, 'news']))
  t.is(cohorts.enter(['room:x']), undefined, 'one too many')
  const [first] = all
  t.is(cohorts.enter(['news', 'room:0']), first, 'in any order')
  t.is(cohorts.size, MAX_COHORTS)
  if (first === undefined) return t.fail()
  cohorts.leave(first)
  t.is(cohorts.size, MAX_COHORTS)
  cohorts.leave(first)
  t.is(cohorts.size, MAX_COHORTS - 1)
  t.not(cohorts.enter(['room:x']), undefined)
})

test('a stream that finds too many cohorts does not look for one at each delivery', t => {
  let looks = 0
  const cohorts = new Cohorts({ isShared: topic => ((looks += topic === 'news' ? 1 : 0), true) })
  const all = Array.from({ length: MAX_COHORTS }, (_, n) => cohorts.enter([`room:${n}`]))
  const place = new Place(cohorts, { topics: ['news'] })
  let key = 0
  const deliver = () =>
    place.share({
      length: 4,
      chunk: Chunk.of(Buffer.from('data')),
      key: (key += 1),
      frames: () => [],
      isAmong: () => true,
    })
  for (let n = 0; n < 100; n += 1) t.is(deliver(), undefined)
  t.true(looks < 5, `${looks} times`)
  for (const cohort of all) if (cohort !== undefined) cohorts.leave(cohort)
  for (let n = 0; n < 100; n += 1) deliver()
  t.not(deliver(), undefined, 'but it does later')
})

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0)
}
