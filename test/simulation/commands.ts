import { EventStreamError } from '../../lib/errors.ts'
import type { LogServer } from './log-server.ts'
import type { LogService } from './log-service.ts'
import type { Connection, Line } from './network.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** Something that was asked, until it is settled. */
interface Call {
  readonly what: string
  readonly work: (server: LogServer) => unknown
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
  /** When it is given up, by the monotonic clock. */
  readonly until: number
}

/** The connection of an instance by which it asks: made when there is something to ask, and anew when it is lost. */
export class Commands {
  readonly #process: SimulatedProcess
  readonly #service: LogService
  readonly #line: Line
  readonly #timeout: number
  // In the order in which they are given up.
  readonly #pending = new Set<Call>()
  #waiting: Call[] = []
  #connection: Connection | undefined
  #isConnecting = false
  #isClosed = false
  #isWatching = false

  constructor(process: SimulatedProcess, service: LogService, line: Line, timeout: number) {
    this.#process = process
    this.#service = service
    this.#line = line
    this.#timeout = timeout
  }

  /** What is called when the connection is lost. */
  onLost: () => void = () => {}

  /** Has something done at the server, in one step. Rejects with `ERR_BROKER`, also where it may have been done. */
  call<T>(what: string, work: (server: LogServer) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#isClosed) {
        reject(failure(what, 'closed'))
        return
      }
      const call: Call = { what, work, resolve, reject, until: this.#process.monotonic() + this.#timeout }
      this.#pending.add(call)
      if (!this.#isWatching) this.#watch(this.#timeout)
      if (this.#connection === undefined) {
        this.#waiting.push(call)
        this.#connect()
      } else this.#send(this.#connection, call)
    })
  }

  /** Gives the connection up: the next call makes another one. */
  drop(): void {
    this.#connection?.close()
    this.#lost()
  }

  close(): void {
    this.#isClosed = true
    this.drop()
  }

  // One timer does for all calls, since each may take as long as the others.
  #watch(ms: number): void {
    this.#isWatching = true
    this.#process.after(ms, () => {
      this.#isWatching = false
      const now = this.#process.monotonic()
      for (const call of this.#pending) {
        if (call.until > now) {
          this.#watch(call.until - now)
          break
        }
        this.#fail(call, failure(call.what, 'late'))
      }
    })
  }

  #connect(): void {
    if (this.#isConnecting) return
    this.#isConnecting = true
    this.#line.connect(this.#process, this.#service, connection => {
      this.#isConnecting = false
      if (connection === undefined || this.#isClosed) {
        connection?.close()
        this.#lost()
        return
      }
      this.#connection = connection
      connection.broken = () => {
        this.#lost()
      }
      for (const call of this.#waiting.splice(0)) if (this.#pending.has(call)) this.#send(connection, call)
    })
  }

  #send(connection: Connection, call: Call): void {
    connection.send(server => {
      let answer: never
      try {
        answer = call.work(server) as never
      } catch (error) {
        connection.answer(() => {
          this.#fail(call, failure(call.what, String(error)))
          // Such as a server that only follows another one.
          if (this.#connection === connection) this.drop()
        })
        return
      }
      connection.answer(() => {
        if (this.#pending.delete(call)) call.resolve(answer)
      })
    })
  }

  #lost(): void {
    if (this.#connection !== undefined) this.onLost()
    this.#connection = undefined
    this.#waiting = []
    for (const call of [...this.#pending]) this.#fail(call, failure(call.what, 'the connection was lost'))
  }

  #fail(call: Call, error: Error): void {
    if (this.#pending.delete(call)) call.reject(error)
  }
}

function failure(what: string, why: string): EventStreamError {
  return new EventStreamError('ERR_BROKER', `${what}: ${why}`)
}
