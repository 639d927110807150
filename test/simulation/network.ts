import type { Random } from '../support/random.ts'
import type { LogServer } from './log-server.ts'
import type { LogService } from './log-service.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { VirtualTime } from './virtual-time.ts'

/** The way from a process to the servers of the log. */
export class Line {
  /** Until when nothing gets through: what is on its way arrives later, and nobody is told. */
  heldUntil = 0
  /** Until when connections are refused. */
  cutUntil = 0
  /** Milliseconds more that everything takes, and until when. */
  slowness = 0
  slowUntil = 0
  /** Whether the next connection meets the server that only follows, as where addresses are out of date. */
  isStale = false
  /** How many messages have been sent to servers, and by them. */
  sent = 0
  answered = 0
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #connections = new Set<Connection>()

  constructor(time: VirtualTime, random: Random) {
    this.#time = time
    this.#random = random
  }

  /** When something arrives that is sent now. */
  arrival(): number {
    const slowness = this.#time.now < this.slowUntil ? this.slowness * this.#random.next() : 0
    return Math.max(this.#time.now + 0.2 + this.#random.next() ** 3 * 6 + slowness, this.heldUntil)
  }

  /** Whether something that is sent in the same moment as what was sent before goes with it. */
  isJoined(): boolean {
    return !this.#random.chance(0.1)
  }

  /** Connects a process to the server that is found; `made` is called once, there, with nothing if there is none. */
  connect(process: SimulatedProcess, service: LogService, made: (connection: Connection | undefined) => void): void {
    this.#time.after(this.arrival() - this.#time.now, () => {
      process.run(() => {
        if (this.#time.now < Math.max(this.cutUntil, service.downUntil)) {
          made(undefined)
          return
        }
        const server = this.isStale ? service.follower : service.primary
        this.isStale = false
        const connection = new Connection(this.#time, this, process, server)
        this.#connections.add(connection)
        made(connection)
      })
    })
  }

  /** Breaks all connections that there are. Their processes hear of it. */
  cut(isOf: (connection: Connection) => boolean = () => true): void {
    for (const connection of this.#connections) if (isOf(connection)) connection.break()
  }

  /** @internal */
  forget(connection: Connection): void {
    this.#connections.delete(connection)
  }
}

/** A connection of a process to a server. What is sent arrives in its order, or never. */
export class Connection {
  readonly server: LogServer
  /** Called once, when it has been broken by somebody else. */
  broken: (() => void) | undefined
  readonly #line: Line
  readonly #process: SimulatedProcess
  #isOpen = true
  readonly #there: Arrivals
  readonly #here: Arrivals

  constructor(time: VirtualTime, line: Line, process: SimulatedProcess, server: LogServer) {
    this.#line = line
    this.#process = process
    this.server = server
    const arrive = (work: () => void): void => {
      if (this.#isOpen) work()
    }
    this.#there = new Arrivals(time, line, arrive)
    this.#here = new Arrivals(time, line, work => process.run(() => arrive(work)))
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Has something done at the server. */
  send(work: (server: LogServer) => void): void {
    this.#line.sent += 1
    this.#there.add(() => {
      work(this.server)
    })
  }

  /** Has something done here, by word of the server. */
  answer(work: () => void): void {
    this.#line.answered += 1
    this.#here.add(work)
  }

  close(): void {
    this.#isOpen = false
    this.#line.forget(this)
  }

  break(): void {
    if (!this.#isOpen) return
    this.close()
    this.#process.run(() => {
      this.broken?.()
    })
  }
}

/** What is on its way in one direction. What is sent in a moment mostly arrives in one piece. */
class Arrivals {
  readonly #time: VirtualTime
  readonly #line: Line
  readonly #arrive: (work: () => void) => void
  #last = 0
  #packet: (() => void)[] = []
  #sentAt = -1

  constructor(time: VirtualTime, line: Line, arrive: (work: () => void) => void) {
    this.#time = time
    this.#line = line
    this.#arrive = arrive
  }

  add(work: () => void): void {
    if (this.#sentAt === this.#time.now && this.#packet.length > 0 && this.#line.isJoined()) {
      this.#packet.push(work)
      return
    }
    const packet = [work]
    this.#packet = packet
    this.#sentAt = this.#time.now
    this.#last = Math.max(this.#line.arrival(), this.#last)
    this.#time.after(this.#last - this.#time.now, () => {
      for (const each of packet.splice(0)) this.#arrive(each)
    })
  }
}
