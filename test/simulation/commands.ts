import { EventStreamError } from '../../lib/errors.ts'
import type { LogServer } from './log-server.ts'
import type { LogService } from './log-service.ts'
import type { Connection, Line } from './network.ts'
import type { SimulatedProcess } from './simulated-process.ts'

interface Call {
  readonly work: (server: LogServer) => unknown
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
}

/** The connection of an instance by which it asks: made when there is something to ask, and anew when it is lost. */
export class Commands {
  readonly #process: SimulatedProcess
  readonly #service: LogService
  readonly #line: Line
  readonly #timeout: number
  readonly #pending = new Set<Call>()
  #waiting: Call[] = []
  #connection: Connection | undefined
  #isConnecting = false
  #isClosed = false

  constructor(process: SimulatedProcess, service: LogService, line: Line, timeout: number) {
    this.#process = process
    this.#service = service
    this.#line = line
    this.#timeout = timeout
  }

  /** Has something done at the server, in one step. Rejects with `ERR_BROKER`, also where it may have been done. */
  call<T>(what: string, work: (server: LogServer) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#isClosed) {
        reject(failure(what, 'closed'))
        return
      }
      const settle = (): void => {
        cancel()
        this.#pending.delete(call)
      }
      const call: Call = {
        work,
        resolve: (answer: T) => {
          settle()
          resolve(answer)
        },
        reject: error => {
          settle()
          reject(error)
        },
      }
      const cancel = this.#process.after(this.#timeout, () => {
        call.reject(failure(what, 'late'))
      })
      this.#pending.add(call)
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
          call.reject(failure('command', String(error)))
          // Such as a server that only follows another one.
          if (this.#connection === connection) this.drop()
        })
        return
      }
      connection.answer(() => {
        call.resolve(answer)
      })
    })
  }

  #lost(): void {
    this.#connection = undefined
    this.#waiting = []
    for (const call of [...this.#pending]) call.reject(failure('command', 'the connection was lost'))
  }
}

function failure(what: string, why: string): EventStreamError {
  return new EventStreamError('ERR_BROKER', `${what}: ${why}`)
}
