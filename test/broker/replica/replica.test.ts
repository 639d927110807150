// The replica's state machine, driven by a scripted log: order, gaps, history and readiness.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { HistoryPolicy } from '../../../lib/broker/history-policy.ts'
import { Replica } from '../../../lib/broker/replica/replica.ts'
import { Recorder } from '../../contract/recorder.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { LogInMemory } from './log-in-memory.ts'

const AGE = 300_000

function makeReplica() {
  const clock = new ManualClock()
  const log = new LogInMemory()
  const recorder = new Recorder()
  const policy = new HistoryPolicy({ age: AGE })
  const replica = new Replica({ engine: log, policy, clock, listener: recorder, timeout: 5_000, maxPending: 10 })
  log.start(replica)
  const heard = () => recorder.heard.map(({ event: { seq } }) => seq)
  const say = async (topic: string, size = 10) => {
    const [place] = await log.append([{ topics: [topic], body: Buffer.alloc(size) }])
    return place?.seq ?? 0
  }
  /** An instance that is live on topics. */
  const live = async (...topics: string[]) => {
    await log.up()
    for (const topic of topics) await replica.subscribe(topic)
    log.asked.length = 0
  }
  return { clock, log, recorder, replica, heard, say, live }
}

test('what comes in order is handed on without a question', async t => {
  const { log, say, heard, live, recorder } = makeReplica()
  await live('a', 'b')
  t.deepEqual([await say('a'), await say('b'), await say('a')], heard())
  t.deepEqual(log.asked, [])
  t.true(recorder.ready)
})

test('a predecessor that the log has forgotten costs no question where nothing can be missing', async t => {
  const { log, say, heard, live, recorder, clock } = makeReplica()
  await live('quiet', 'busy')
  const first = await say('quiet')
  for (let n = 0; n < 5; n += 1) await say('busy')
  log.now += 2 * AGE
  clock.advance(2 * AGE)
  log.forgotten.set('quiet', { isKnown: false, seq: log.seq, at: log.now - AGE })
  await new Promise(resolve => setImmediate(resolve))
  log.asked.length = 0
  const next = await say('quiet')
  t.deepEqual([heard()[0], heard().at(-1)], [first, next])
  t.deepEqual(recorder.gaps, [])
  t.deepEqual(log.asked, [])
})

test('a predecessor that the log ought to know, and does not, is a loss: a new life is begun', async t => {
  const { log, say, heard, live, recorder } = makeReplica()
  await live('a')
  await say('a')
  log.forgotten.set('a', { isKnown: false, seq: log.seq, at: log.now - AGE })
  await say('a')
  await log.up()
  t.deepEqual(
    recorder.gaps.map(({ reason }) => reason),
    ['epoch'],
  )
  t.is(log.epoch, 'one+')
  const after = await say('a')
  t.is(heard().at(-1), after)
})

test('a hole in the chain holds all topics until what was missed is here', async t => {
  const { log, say, heard, live, recorder } = makeReplica()
  await live('a', 'b')
  log.hands = false
  const missed = [await say('a'), await say('b')]
  log.hands = true
  const next = await say('a')
  await log.up()
  t.deepEqual(heard(), [...missed, next])
  t.deepEqual(recorder.gaps, [])
})

test('what is fetched stays when catching up is interrupted, and is handed on once all is here', async t => {
  const { log, say, heard, live, recorder } = makeReplica()
  await live('a')
  log.down()
  const missed: number[] = []
  for (let n = 0; n < 4; n += 1) missed.push(await say('a', 150_000))
  log.failures.push(undefined, undefined, new Error('cut'))
  await t.throwsAsync(log.up(), { message: 'cut' })
  t.deepEqual(heard(), [])
  log.down()
  log.asked.length = 0
  await log.up()
  t.is(log.asked[0]?.[0]?.after, missed[1])
  t.deepEqual(heard(), missed)
  t.deepEqual(recorder.gaps, [])
})

test('what history has no more of is told, and what it has is handed on', async t => {
  const { log, say, heard, live, recorder } = makeReplica()
  await live('a', 'b')
  const before = await say('a')
  log.down()
  const trimmed = await say('a')
  const kept = [await say('a'), await say('b')]
  log.trim('a', trimmed)
  await log.up()
  t.deepEqual(heard(), [before, ...kept])
  t.deepEqual(recorder.gaps, [{ topics: ['a'], reason: 'trimmed' }])
})

test('a topic that was forgotten while the instance was away for longer than history reaches is told as a gap', async t => {
  const { log, say, live, recorder } = makeReplica()
  await live('a', 'b')
  await say('a')
  log.down()
  for (let n = 0; n < 5; n += 1) await say('b')
  log.now += 2 * AGE
  log.forgotten.set('a', { isKnown: false, seq: log.seq - 1, at: log.now - AGE })
  log.trim('a', log.seq)
  await log.up()
  t.deepEqual(recorder.gaps, [{ topics: ['a'], reason: 'trimmed' }])
})

/** Whether somebody who wishes for a topic's last events would be told that some of them are gone. */
function isCut({ replica }: ReturnType<typeof makeReplica>, count: number): boolean {
  return replica.read('a', replica.startOfLast('a', count), count).trimmed
}

test('what history had cut before the instance began is told to whoever wishes for it, while it would be young enough', async t => {
  const made = makeReplica()
  const { log, say, live, replica, clock } = made
  log.seq = log.now * 1_000
  const cut = await say('a')
  await live('a')
  for (let n = 0; n < 3; n += 1) await say('a')
  log.trim('a', cut)
  await replica.load(['a'], 0)
  t.false(isCut(made, 3))
  t.true(isCut(made, 4))
  log.now += 2 * AGE
  clock.advance(2 * AGE)
  t.false(isCut(made, 4))
})

test('what was cut while the instance was away is told to whoever wishes for it later', async t => {
  const made = makeReplica()
  const { log, say, live } = made
  log.seq = log.now * 1_000
  await live('a')
  log.down()
  const cut = await say('a')
  await say('a')
  log.trim('a', cut)
  await log.up()
  t.false(isCut(made, 1))
  t.true(isCut(made, 2))
})

test('of a topic that never had more, nothing is told as cut', async t => {
  const made = makeReplica()
  const { say, live, replica } = made
  await live('a')
  await say('a')
  await replica.load(['a'], 0)
  t.false(isCut(made, 2))
})

test('silent topics give their memory back once their history is too old, though nobody reads them', async t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { say, live, recorder, clock, log } = makeReplica()
  await live('a')
  await say('a')
  const frame = new WeakRef(recorder.heard[0]?.event.frame ?? (t.context as object))
  recorder.heard.length = 0
  log.trim('a', log.seq)
  const isKept = async () => {
    await new Promise(resolve => setImmediate(resolve))
    collect()
    return frame.deref() !== undefined
  }
  t.true(await isKept())
  log.now += 2 * AGE
  clock.advance(2 * AGE)
  t.false(await isKept())
})

test('it is ready while the log can be read and written to, and says so once', async t => {
  const { log, live, recorder } = makeReplica()
  const told: boolean[] = []
  recorder.readiness = ready => told.push(ready)
  log.down()
  log.down()
  await live('a')
  log.listener?.writable(false, new Error('OOM'))
  log.listener?.writable(false, new Error('OOM'))
  log.down()
  await log.up()
  log.listener?.writable(true)
  log.listener?.readable(false, new Error('full'))
  log.listener?.writable(false, new Error('OOM'))
  log.listener?.readable(true)
  log.listener?.writable(true)
  t.deepEqual(told, [false, true, false, true, false, true])
})

test('a client that has seen more than a log that takes no events: it may be a copy that is behind', async t => {
  const { log, live, say, replica } = makeReplica()
  await live('a')
  await say('a')
  log.listener?.writable(false, new Error('READONLY'))
  await t.throwsAsync(async () => replica.load(['a'], log.seq + 1, log.epoch), { code: 'ERR_BROKER' })
  await t.throwsAsync(async () => replica.load(['a'], 1, 'a later life'), { code: 'ERR_BROKER' })
  await t.notThrowsAsync(async () => replica.load(['a'], log.seq, log.epoch))
  log.listener?.writable(true)
  await t.notThrowsAsync(async () => replica.load(['a'], log.seq + 1, log.epoch))
})

test('history is loaded a page at a time, each topic once for all who wait', async t => {
  const { log, say, replica } = makeReplica()
  await log.up()
  const seqs = new Map<string, number[]>()
  const topics = Array.from({ length: 12 }, (_, n) => `t${n}`)
  for (const topic of topics) seqs.set(topic, [await say(topic, 100_000), await say(topic, 100_000)])
  for (const topic of topics) await replica.subscribe(topic)
  log.asked.length = 0
  await Promise.all([...topics, ...topics].map(topic => replica.load([topic], 0)))
  for (const topic of topics) {
    t.deepEqual(
      replica.read(topic, 0, 10).events.map(({ seq }) => seq),
      seqs.get(topic),
    )
  }
  t.true(log.asked.length <= 13)
})

const NOTE = { topics: ['lonely'], body: Buffer.alloc(10) }

/** Has the log acknowledge an event of which nobody else hears, and lose it. */
async function loseAcknowledged({ log, replica }: ReturnType<typeof makeReplica>): Promise<void> {
  const failOver = log.replica()
  await replica.publish(NOTE)
  log.down()
  replica.interrupted()
  failOver()
  log.seq = 100
}

test('what was acknowledged on a connection that is lost is asked for, though more has been acknowledged since', async t => {
  const made = makeReplica()
  const { log, live, say, replica, recorder } = made
  await live('a')
  await loseAcknowledged(made)
  for (let n = 0; n < 3; n += 1) await say('lonely')
  await replica.publish(NOTE)
  await log.up()
  t.is(log.epoch, 'one+')
  t.deepEqual(recorder.gaps, [{ topics: ['a'], reason: 'epoch' }])
})

test('what is still there of what was acknowledged on earlier connections is no loss, of one topic as of several', async t => {
  const { log, live, say, replica, recorder } = makeReplica()
  await live('a')
  for (let n = 0; n < 3; n += 1) {
    await replica.publish(NOTE)
    await replica.publish({ topics: ['a', 'lonely'], body: Buffer.alloc(10) })
    replica.interrupted()
    await say('lonely')
  }
  log.down()
  await log.up()
  t.is(log.epoch, 'one')
  t.deepEqual(recorder.gaps, [])
})

test('what was published again with its key is remembered as what was published first, on the topics that it has', async t => {
  const { log, live, say, replica, recorder } = makeReplica()
  await live('a')
  const failOver = log.replica()
  await log.append([{ ...NOTE, key: 'once' }])
  await replica.publish({ ...NOTE, topics: ['lonely', 'other'], key: 'once' })
  await say('lonely')
  log.down()
  await log.up()
  t.is(log.epoch, 'one', 'that the first one was not of the topic `other` is no loss')
  log.down()
  failOver()
  log.seq = 100
  await say('lonely')
  await log.up()
  t.is(log.epoch, 'one+')
  t.deepEqual(recorder.gaps, [{ topics: ['a'], reason: 'epoch' }])
})

test('what was acknowledged in a life of the log that comes back is asked for again', async t => {
  const { log, live, say, replica } = makeReplica()
  await live('a')
  const failOver = log.replica()
  await replica.publish(NOTE)
  log.beginAnew()
  await replica.publish(NOTE)
  await new Promise(resolve => setImmediate(resolve))
  log.down()
  failOver()
  log.seq = 100
  for (let n = 0; n < 9; n += 1) await say('lonely')
  await log.up()
  t.is(log.epoch, 'one++')
})

test('a life of the log that begins before the last one is told of as a whole to who comes from its beginning', async t => {
  const { log, live, say, replica } = makeReplica()
  log.seq = 1_000
  await live('a')
  log.down()
  log.flush('two', 500)
  for (let n = 0; n < 3; n += 1) await say('b')
  await log.up()
  await replica.load(['a'], 500, 'two')
  t.like(replica.read('a', 500, 10), { events: [], trimmed: false })
  const seq = await say('a')
  t.like(replica.read('a', 500, 10), { events: [{ seq }], trimmed: false })
})

test('history is joined to a topic that was begun at a place before the next event has come here', async t => {
  const { log, live, say, replica } = makeReplica()
  await live('a', 'b')
  for (const topic of ['a', 'b']) await say(topic)
  const back = log.replica()
  log.beginAnew()
  await replica.look()
  log.down()
  back()
  await log.up()
  log.hands = false
  const late = await say('a')
  await replica.load(['a'], 0)
  t.like(replica.read('a', 0, 10), { events: [{ seq: 1 }], trimmed: false })
  t.is(late, 3)
})

test('which are the latest events of a topic is known once what is missing has come', async t => {
  const { log, live, say, replica } = makeReplica()
  await live('a')
  log.hands = false
  const missed = await say('a')
  log.hands = true
  const next = await say('a')
  await replica.load(['a'], 0)
  t.is(replica.startOfLast('a', 1), missed)
  t.deepEqual(
    replica.read('a', 0, 10).events.map(({ seq }) => seq),
    [missed, next],
  )
})

test('an acknowledged event is asked for though a stream has the topic since, and that began behind it', async t => {
  const made = makeReplica()
  const { log, live, say, replica, recorder } = made
  await live('a')
  await loseAcknowledged(made)
  await say('lonely')
  const subscribed = replica.subscribe('lonely')
  log.failures.push(undefined, new Error('cut'))
  await t.throwsAsync(log.up(), { message: 'cut' })
  await log.up()
  await subscribed
  t.is(log.epoch, 'one+')
  t.deepEqual(recorder.gaps, [{ topics: ['a', 'lonely'], reason: 'epoch' }])
})

test('what is answered before and after a connection was lost may be of two logs, and confirms nothing', async t => {
  const { log, live, say, replica } = makeReplica()
  await live('a')
  const failOver = log.replica()
  await replica.publish(NOTE)
  replica.interrupted()
  const read = log.read.bind(log)
  log.read = async (wishes, page) => {
    const answer = await read(wishes, page)
    log.read = read
    replica.interrupted()
    return answer
  }
  await log.up()
  failOver()
  log.seq = 100
  await say('lonely')
  log.down()
  await log.up()
  t.is(log.epoch, 'one+')
})

test('what is trimmed between two pages of history is a gap, and no hole', async t => {
  const { log, live, say, replica } = makeReplica()
  for (let n = 0; n < 3; n += 1) await say('a', 200_000)
  await live('a')
  const read = log.read.bind(log)
  log.read = async (wishes, page) => {
    const answer = await read(wishes, page)
    log.read = read
    log.trim('a', 2)
    return answer
  }
  await replica.load(['a'], 0)
  t.like(replica.read('a', 0, 10), { events: [{ seq: 3 }], trimmed: true })
})

test('a life of the log that comes back is no loss to topics that had nothing where it was left', async t => {
  const { log, live, say, replica, recorder } = makeReplica()
  await live('a', 'b')
  for (const topic of ['b', 'a', 'a']) await say(topic)
  const back = log.replica()
  log.beginAnew()
  await replica.look()
  log.down()
  back()
  const read = log.read.bind(log)
  const meanwhile: number[] = []
  log.read = async (wishes, page) => {
    const answer = await read(wishes, page)
    // The first answers tell of the other life, and the next ones of what it has.
    if (log.asked.length >= 2 && meanwhile.length < 3) meanwhile.push(await say('b'))
    return answer
  }
  log.asked.length = 0
  await log.up()
  const next = [...meanwhile, await say('a')]
  await replica.load(['a', 'b'], 0)
  t.is(log.epoch, 'one')
  t.deepEqual(
    recorder.heard.slice(-next.length).map(({ event: { seq } }) => seq),
    next,
  )
})
