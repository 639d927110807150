import type { BrokerListener } from '../../../lib/broker/broker.ts'
import { PAGE_BYTES } from '../../../lib/broker/replica/log-engine.ts'
import { encodeBody } from '../../../lib/wire/frame.ts'
import { Random } from '../../support/random.ts'
import { Ledger } from '../ledger.ts'
import { live } from '../live.ts'
import { LogService } from '../log-service.ts'
import { Line } from '../network.ts'
import { RemoteBroker } from '../remote-broker.ts'
import { SimulatedProcess } from '../simulated-process.ts'
import { VirtualTime } from '../virtual-time.ts'
import { MeteredServer } from './metered-server.ts'

const BODY = encodeBody({ id: undefined, event: undefined, data: 'x'.repeat(150) })
const SHARED = 't0'
/** Milliseconds without a network, and events that are published meanwhile to the topic that all have. */
const [OUTAGE, MISSED] = [2_000, 10]

export interface Counted {
  readonly instances: number
  readonly topics: number
  /** What one publish to a topic of all instances costs the log's server. */
  readonly messages: number
  readonly bytes: number
  /** What it costs when all instances come back at once. */
  readonly storm: {
    readonly reads: number
    readonly topicsRead: number
    readonly bytesRead: number
    /** To the server and from it, all there are. */
    readonly messages: number
    /** Milliseconds of the simulated time from the first connection to the last instance that is live. */
    readonly milliseconds: number
  }
}

/** Counts with so many instances on one log, each with so many topics. Nothing in it takes time but the network. */
export async function simulateFanOut(instances: number, topics: number, seed = 1): Promise<Counted> {
  const time = new VirtualTime()
  const random = new Random(seed)
  const service = new LogService(time, random, new Ledger(time), { Server: MeteredServer })
  const server = service.primary
  if (!(server instanceof MeteredServer)) throw new TypeError('the primary is of another class')
  const all = Array.from({ length: instances }, (_, n) => {
    const line = new Line(time, random)
    const process = new SimulatedProcess(`i${n}`, time, random)
    const listener = new Listener()
    const broker = new RemoteBroker({ process, service, line, pageBytes: PAGE_BYTES })
    broker.listen(listener)
    for (let topic = 0; topic < topics; topic += 1) void broker.subscribe(`t${topic}`)
    return { line, broker, listener }
  })
  const sum = (of: (one: (typeof all)[number]) => number) => all.reduce((total, one) => total + of(one), 0)
  const until = (isSo: () => boolean) => live({ step: () => !isSo() && time.step() })
  const messages = () => sum(({ line }) => line.sent + line.answered)

  await until(() => all.every(({ broker }) => broker.ready))
  await until(after(time, 1_000))
  const [handedOut, bytes] = [server.handedOut, server.handedOutBytes]
  server.take({ topics: [SHARED], body: BODY })
  const published = { messages: server.handedOut - handedOut, bytes: server.handedOutBytes - bytes }
  await until(() => all.every(({ listener }) => listener.events === 1))

  for (const { line } of all) {
    line.cutUntil = time.now + OUTAGE
    line.cut()
  }
  for (let n = 0; n < MISSED; n += 1) server.take({ topics: [SHARED], body: BODY })
  await until(after(time, OUTAGE))
  const before = {
    at: time.now,
    reads: server.reads,
    topics: server.topicsRead,
    bytes: server.bytesRead,
    all: messages(),
  }
  await until(() => all.every(({ broker, listener }) => broker.ready && listener.events === 1 + MISSED))
  const storm = {
    reads: server.reads - before.reads,
    topicsRead: server.topicsRead - before.topics,
    bytesRead: server.bytesRead - before.bytes,
    messages: messages() - before.all,
    milliseconds: time.now - before.at,
  }
  if (all.some(({ listener }) => listener.gaps > 0)) throw new Error('an instance has told a gap')
  for (const { broker } of all) await broker.close()
  return { instances, topics, ...published, storm }
}

function after(time: VirtualTime, ms: number): () => boolean {
  const end = time.now + ms
  return () => time.now >= end
}

class Listener implements BrokerListener {
  events = 0
  gaps = 0

  event(): void {
    this.events += 1
  }

  gap(): void {
    this.gaps += 1
  }

  control(): void {}
  readiness(): void {}
  fault(): void {}
}
