// One file: an engine is one connection's state, which requests, replies and losses change together.
import type {
  Appended,
  LogEngine,
  LogListener,
  LogPage,
  Outgoing,
  Page,
  Wish,
} from '../../lib/broker/replica/log-engine.ts'
import { PAGE_BYTES } from '../../lib/broker/replica/log-engine.ts'
import { EventStreamError } from '../../lib/errors.ts'
import type { Position } from '../../lib/wire/cursor.ts'
import type { Commands } from './commands.ts'
import { SHORTEST_AGE } from './kept.ts'
import type { Subscription, Told } from './log-server.ts'
import type { LogService } from './log-service.ts'
import type { Connection, Line } from './network.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** What the engine passes on that is no affair of the log. */
export interface ControlListener {
  up(): Promise<void>
  down(): void
  announced(announcement: Extract<Told, { kind: 'announcement' }>): void
}

export interface RemoteEngineParts {
  readonly process: SimulatedProcess
  readonly service: LogService
  readonly line: Line
  readonly commands: Commands
  readonly control: ControlListener
  /** Milliseconds that an answer may take, and between two proofs that the connection still works. */
  readonly timeout: number
  readonly watchdog: number
  /** Milliseconds for which the log remembers a topic's last event at least. Default: the shortest age of the simulation. */
  readonly memory?: number
  /** Of a page, at most. Default: few or many, by chance. */
  readonly pageBytes?: number
}

const SMALL_PAGE = 1_500

const FIRST_PAUSE = 50
const LONGEST_PAUSE = 2_000

interface Fence {
  readonly mark: number
  readonly settle: (error?: Error) => void
}

/** An engine on a simulated network: one connection that listens, and one by which it asks. */
export class RemoteEngine implements LogEngine {
  readonly memory: number
  readonly #parts: RemoteEngineParts
  // An engine may answer with less than it is asked for at most.
  readonly #pageBytes: number
  #listener: LogListener | undefined
  #connection: Connection | undefined
  #topics = new Set<string>()
  #fences: Fence[] = []
  #lastMark = 0
  #pause = FIRST_PAUSE
  #isFull = false
  #isClosed = false
  #subscription: Subscription | undefined
  #stopWatching = (): void => {}

  constructor(parts: RemoteEngineParts) {
    this.#parts = parts
    this.memory = parts.memory ?? SHORTEST_AGE
    this.#pageBytes = parts.pageBytes ?? (parts.process.random() < 0.5 ? SMALL_PAGE : PAGE_BYTES)
  }

  start(listener: LogListener): void {
    this.#listener = listener
    this.#parts.commands.onLost = () => {
      listener.interrupted()
    }
    this.#connect()
  }

  async append(events: readonly Outgoing[]): Promise<readonly (Appended | Error)[]> {
    const { commands, service } = this.#parts
    const answers = await commands.call('append', server => service.append(server, events))
    this.#setFull(answers.some(answer => answer instanceof Error))
    return answers
  }

  read(wishes: readonly Wish[], page?: Page): Promise<LogPage> {
    const bytes = Math.min(page?.bytes ?? PAGE_BYTES, this.#pageBytes)
    return this.#parts.commands.call('read', server => server.read(wishes, bytes))
  }

  listen(topics: readonly string[]): Promise<void> {
    const connection = this.#connection
    return new Promise((resolve, reject) => {
      if (connection === undefined) {
        reject(new EventStreamError('ERR_BROKER', 'listen: not connected'))
        return
      }
      const fence = this.#fence({ settle: error => (error === undefined ? resolve() : reject(error)) })
      const own = this.#topics
      connection.send(() => {
        for (const topic of topics) own.add(topic)
        connection.answer(() => {
          this.#passed(fence.mark)
        })
      })
    })
  }

  unlisten(topics: readonly string[]): void {
    const own = this.#topics
    this.#connection?.send(() => {
      for (const topic of topics) own.delete(topic)
    })
  }

  fence(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#connection === undefined) {
        reject(new EventStreamError('ERR_BROKER', 'fence: not connected'))
        return
      }
      const { mark } = this.#fence({ settle: error => (error === undefined ? resolve() : reject(error)) })
      const subscription = this.#subscription
      // By the server that answers: if the one that is listened to is another, the mark does not come.
      this.#parts.commands
        .call('fence', ({ subscriptions }) => {
          if (subscription !== undefined && subscriptions.has(subscription)) subscription.told({ kind: 'fence', mark })
        })
        .catch((error: unknown) => {
          this.#settle(mark, error as Error)
        })
    })
  }

  async renew(lost: Position): Promise<void> {
    await this.#parts.commands.call('renew', server => {
      this.#parts.service.renew(server, lost)
    })
  }

  lose(error: unknown): void {
    const connection = this.#connection
    this.#parts.process.after(0, () => {
      if (connection !== undefined && this.#connection === connection) this.#distrust(error)
    })
  }

  close(): void {
    this.#isClosed = true
    this.#drop(new EventStreamError('ERR_BROKER', 'closed'))
  }

  #connect(): void {
    const { line, process, service, control } = this.#parts
    line.connect(process, service, connection => {
      if (connection === undefined || this.#isClosed) {
        connection?.close()
        if (!this.#isClosed) this.#lose(new EventStreamError('ERR_BROKER', 'connection refused'))
        return
      }
      this.#connection = connection
      this.#topics = new Set()
      connection.broken = () => {
        if (this.#connection === connection) this.#lose(new EventStreamError('ERR_BROKER', 'connection lost'))
      }
      this.#subscribe(connection)
      this.#watch(connection)
      // A server that only follows another one may be behind.
      this.#setFull(connection.server.isFull || !connection.server.isPrimary)
      Promise.all([this.#listener?.up(), control.up()]).then(
        () => {
          if (this.#connection === connection) this.#pause = FIRST_PAUSE
        },
        (error: unknown) => {
          if (this.#connection === connection) this.#distrust(error)
        },
      )
    })
  }

  #subscribe(connection: Connection): void {
    const { server } = connection
    this.#subscription = {
      topics: this.#topics,
      event: (topic, event) => {
        connection.answer(() => this.#listener?.event(topic, event))
      },
      told: message => {
        connection.answer(() => {
          this.#told(message)
        })
      },
    }
    server.subscriptions.add(this.#subscription)
  }

  #told(message: Told): void {
    if (message.kind === 'renewed') this.#listener?.renewed()
    else if (message.kind === 'fence') this.#passed(message.mark)
    else this.#parts.control.announced(message)
  }

  #watch(connection: Connection): void {
    this.#stopWatching = this.#parts.process.after(this.#parts.watchdog, () => {
      this.fence().then(
        () => {
          if (this.#connection === connection) this.#watch(connection)
        },
        (error: unknown) => {
          if (this.#connection === connection) this.#distrust(error)
        },
      )
    })
  }

  // What is listened to and what is asked may be two servers: both are looked for anew.
  #distrust(error: unknown): void {
    this.#parts.commands.drop()
    this.#lose(error)
  }

  #lose(error: unknown): void {
    this.#drop(error as Error)
    this.#parts.control.down()
    this.#listener?.down(error)
    const pause = this.#pause * (0.5 + this.#parts.process.random())
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE)
    this.#parts.process.after(pause, () => {
      if (!this.#isClosed) this.#connect()
    })
  }

  #drop(error: Error): void {
    this.#stopWatching()
    if (this.#subscription !== undefined) this.#connection?.server.subscriptions.delete(this.#subscription)
    this.#connection?.close()
    this.#connection = undefined
    for (const { mark } of [...this.#fences]) this.#settle(mark, error)
  }

  #fence({ settle }: Pick<Fence, 'settle'>): Fence {
    this.#lastMark += 1
    const mark = this.#lastMark
    const { process, timeout } = this.#parts
    const cancel = process.after(timeout, () => {
      this.#settle(mark, new EventStreamError('ERR_BROKER', 'the mark did not come in time'))
    })
    const fence: Fence = {
      mark,
      settle: error => {
        cancel()
        settle(error)
      },
    }
    this.#fences.push(fence)
    return fence
  }

  #passed(mark: number): void {
    this.#settle(mark)
  }

  #settle(mark: number, error?: Error): void {
    const fence = this.#fences.find(other => other.mark === mark)
    if (fence === undefined) return
    this.#fences = this.#fences.filter(other => other !== fence)
    fence.settle(error)
  }

  #setFull(isFull: boolean): void {
    if (isFull === this.#isFull) return
    this.#isFull = isFull
    this.#listener?.writable(
      !isFull,
      isFull ? new EventStreamError('ERR_BROKER', 'the log takes no events') : undefined,
    )
    if (isFull) this.#probe()
  }

  #probe(): void {
    const { process, commands } = this.#parts
    process.after(500, () => {
      commands
        .call('probe', server => server.isFull || !server.isPrimary)
        .then(
          isFull => {
            if (isFull) this.#probe()
            else this.#setFull(false)
          },
          () => {
            this.#probe()
          },
        )
    })
  }
}
