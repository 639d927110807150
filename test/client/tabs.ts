// One file: a world of tabs, whose locks, channels and connections depend on each other.
import type {
  Channel,
  Environment,
  EventSourceClass,
  EventSourceLike,
  Locks,
  Page,
  Wake,
} from '../../lib/client/environment.ts'
import type { Live } from '../../lib/client/live.ts'
import { createLive } from '../../lib/client/live-target.ts'
import { checkOptions, type ConnectOptions, type UrlFunction } from '../../lib/client/options.ts'
// Loaded on demand, which takes a time that the test does not decide.
import '../../lib/client/share.ts'
import { ManualClock } from '../support/manual-clock.ts'
import type { Random } from '../support/random.ts'

/** What is sent on a stream. */
interface Block {
  readonly event: string
  readonly data: string
  readonly id?: string
}

/** A stream as its server sees it. */
interface Stream {
  readonly tab: Tab
  readonly lastEventId: string
  isOpen: boolean
  send(block: Block): void
  end(): void
}

interface LockRequest {
  readonly tab: Tab
  grant(): void
  rob(): void
}

const abortError = () => new DOMException('aborted', 'AbortError')

/**
 * The tabs of a browser, and the server of a log. All that goes between them waits until the test lets it arrive: in
 * order on each way, and in whatever order on different ones.
 */
export class TabsWorld {
  readonly clock = new ManualClock()
  readonly random: Random
  readonly tabs: Tab[] = []
  /** All that have been opened. */
  readonly streams: Stream[] = []
  /** The history: it reaches back to `floor`. */
  readonly log: { readonly seq: number; readonly event: string }[] = []
  epoch = 'e'
  top = 0
  floor = 0
  readonly channels = new Set<FakeChannel>()
  readonly locks = new Map<string, LockRequest[]>()
  readonly #ways = new Map<string, { readonly tab: Tab; readonly tasks: (() => void)[] }>()

  constructor(random: Random) {
    this.random = random
  }

  /** Opens a tab. Each page is of the same stream, and of ann, unless it says otherwise. */
  open(options: ConnectOptions = {}, names: readonly string[] = ['tick'], url: string | UrlFunction = '/events'): Tab {
    const tab = new Tab(this, `tab ${this.tabs.length}`)
    this.tabs.push(tab)
    tab.connect(url, { share: { name: 'news', identity: 'ann' }, ...options }, names)
    return tab
  }

  get openStreams(): Stream[] {
    return this.streams.filter(({ isOpen }) => isOpen)
  }

  publish(event = 'tick'): string {
    this.top += 1
    this.log.push({ seq: this.top, event })
    const block = { event, data: String(this.top), id: this.cursor }
    for (const stream of this.openStreams) stream.send(block)
    return this.cursor
  }

  get cursor(): string {
    return `${this.epoch}-${this.top}`
  }

  /** The log loses its history, and begins anew at this number. */
  begin(epoch: string, top = 0): void {
    this.epoch = epoch
    this.log.length = 0
    this.top = this.floor = top
    for (const stream of this.openStreams) stream.end()
  }

  /** Lets something arrive later, behind what is on the same way. */
  post(tab: Tab, name: string, task: () => void): void {
    const way = this.#ways.get(name) ?? { tab, tasks: [] }
    this.#ways.set(name, way)
    way.tasks.push(task)
  }

  forget(tab: Tab): void {
    for (const [name, way] of this.#ways) if (way.tab === tab) this.#ways.delete(name)
  }

  /** Lets one thing arrive, and answers whether there was one. */
  async arrive(): Promise<boolean> {
    const ways = [...this.#ways].filter(([, { tab }]) => !tab.isFrozen)
    if (!ways.length) return false
    const [name, { tasks }] = this.random.pick(ways)
    tasks.shift()?.()
    if (!tasks.length) this.#ways.delete(name)
    // What a task has others do in promises.
    await turn()
    return true
  }

  /** Lets all arrive. */
  async settle(): Promise<void> {
    do await turn()
    while (await this.arrive())
  }

  /** Lets time pass, and all arrive that comes of it. */
  async pass(ms: number): Promise<void> {
    await this.settle()
    for (let passed = 0; passed < ms; passed += 100) {
      this.clock.advance(Math.min(100, ms - passed))
      await this.settle()
    }
  }

  accept(stream: Stream): void {
    this.streams.push(stream)
    const [, epoch, seq = ''] = /^(.*)-(\d+)$/.exec(stream.lastEventId) ?? []
    const from = Number(seq)
    if (epoch !== undefined) {
      const reason = epoch === this.epoch ? (from < this.floor ? 'trimmed' : undefined) : 'epoch'
      if (reason) stream.send({ event: 'gap', data: JSON.stringify({ topics: ['news'], reason }) })
      for (const { seq, event } of this.log) {
        if (epoch !== this.epoch || seq <= Math.max(from, this.floor)) continue
        stream.send({ event, data: String(seq), id: `${this.epoch}-${seq}` })
      }
    }
    stream.send({ event: 'cursor', data: '{"stream":"s","heartbeat":null}', id: this.cursor })
  }
}

const turn = () => new Promise(setImmediate)

class FakeChannel extends EventTarget implements Channel {
  static #count = 0
  readonly #id = (FakeChannel.#count += 1)
  readonly #world: TabsWorld
  readonly name: string
  readonly tab: Tab

  constructor(world: TabsWorld, tab: Tab, name: string) {
    super()
    this.#world = world
    this.name = name
    this.tab = tab
    world.channels.add(this)
  }

  postMessage(message: unknown): void {
    if (!this.#world.channels.has(this)) throw new DOMException('closed', 'InvalidStateError')
    for (const other of this.#world.channels) {
      if (other === this || other.name !== this.name) continue
      const data: unknown = structuredClone(message)
      this.#world.post(other.tab, `channel ${this.#id} ${other.#id}`, () => {
        if (this.#world.channels.has(other)) other.dispatchEvent(new MessageEvent('message', { data }))
      })
    }
  }

  close(): void {
    this.#world.channels.delete(this)
  }
}

/** A page, with what a browser gives it. */
export class Tab {
  readonly name: string
  readonly told: string[] = []
  readonly states: string[] = []
  readonly errors: unknown[] = []
  readonly env: Environment
  readonly document = { hidden: false, baseURI: 'https://app.test/page' }
  isFrozen = false
  isGone = false
  live!: Live
  readonly #world: TabsWorld
  readonly #wakes = new Set<(wake: Wake) => void>()

  constructor(world: TabsWorld, name: string) {
    this.name = name
    this.#world = world
    const tab = this
    const page: Page = {
      document: this.document,
      navigator: { locks: this.#locks() },
      BroadcastChannel: class extends FakeChannel {
        constructor(name: string) {
          super(world, tab, name)
        }
      },
    }
    this.env = {
      now: world.clock.now,
      after: (ms, task) => this.#after(ms, task),
      chance: () => world.random.next(),
      fetch: async () => Promise.reject(new TypeError('fetch failed')),
      EventSource: this.#source(),
      base: this.document.baseURI,
      onWake: (listener, signal) => {
        this.#wakes.add(listener)
        signal.addEventListener('abort', () => this.#wakes.delete(listener))
      },
      report: error => this.errors.push(error),
      page,
    }
  }

  connect(url: string | UrlFunction, options: ConnectOptions, names: readonly string[]): void {
    const all: ConnectOptions = {
      onState: (state, reason) => this.states.push(`${state} ${reason}`),
      onError: error => this.errors.push(error),
      ...options,
    }
    this.live = createLive(this.env, checkOptions(url, all, this.env), all)
    for (const name of names) this.listen(name)
    this.live.on('gap', ({ reason }) => this.told.push(`gap ${reason}`))
  }

  listen(name: string): void {
    this.live.on(name, data => this.told.push(`${name} ${String(data)}`))
  }

  get state(): string {
    return `${this.live.state} ${this.live.reason}`
  }

  /** The numbers of the events of a name that were told. */
  of(name = 'tick'): number[] {
    return this.told.filter(one => one.startsWith(`${name} `)).map(one => Number(one.slice(name.length)))
  }

  wake(wake: Wake): void {
    for (const listener of [...this.#wakes]) listener(wake)
  }

  show(): void {
    this.document.hidden = false
    this.wake('visibilitychange')
  }

  hide(): void {
    this.document.hidden = true
  }

  freeze(): void {
    this.isFrozen = true
  }

  thaw(): void {
    this.isFrozen = false
  }

  /** Leaves for the back/forward cache. */
  leave(): void {
    this.wake('pagehide')
  }

  return(): void {
    this.wake('pageshow')
  }

  /** Is gone without a word, as after a crash. */
  crash(): void {
    this.isGone = this.isFrozen = true
    for (const channel of this.#world.channels) if (channel.tab === this) channel.close()
    for (const stream of this.#world.streams) if (stream.tab === this) stream.isOpen = false
    for (const [name, requests] of this.#world.locks) {
      const isHeld = requests[0]?.tab === this
      const rest = requests.filter(({ tab }) => tab !== this)
      this.#world.locks.set(name, rest)
      if (isHeld) rest[0]?.grant()
    }
    this.#world.forget(this)
  }

  // A timer that falls due in a frozen tab runs once it is thawed, before or after what has come meanwhile.
  #after(ms: number, task: () => void): () => void {
    let isCancelled = false
    const run = () => {
      if (!isCancelled) task()
    }
    const cancel = this.#world.clock.after(ms, () => {
      if (this.isFrozen) this.#world.post(this, `timer ${Math.random()}`, run)
      else run()
    })
    return () => {
      isCancelled = true
      cancel()
    }
  }

  #locks(): Locks {
    const { locks } = this.#world
    return {
      request: (name, options, hold) =>
        new Promise((resolve, reject) => {
          const queue = locks.get(name) ?? []
          locks.set(name, queue)
          const leave = () => {
            const requests = locks.get(name) ?? []
            const index = requests.indexOf(request)
            if (index < 0) return
            requests.splice(index, 1)
            if (index === 0) requests[0]?.grant()
          }
          let isGranted = false
          const request: LockRequest = {
            tab: this,
            grant: () => {
              isGranted = true
              this.#world.post(this, `locks ${this.name}`, () => {
                void Promise.resolve(hold()).then(() => {
                  leave()
                  resolve(undefined)
                })
              })
            },
            rob: () => this.#world.post(this, `locks ${this.name}`, () => reject(abortError())),
          }
          if ('signal' in options) {
            if (options.signal.aborted) {
              reject(abortError())
              return
            }
            options.signal.addEventListener('abort', () => {
              if (isGranted) return
              leave()
              reject(abortError())
            })
            queue.push(request)
            if (queue[0] === request) request.grant()
          } else {
            queue.shift()?.rob()
            queue.unshift(request)
            request.grant()
          }
        }),
    }
  }

  #source(): EventSourceClass {
    const open = (url: string): EventSourceLike => this.#openSource(url)
    return class implements EventSourceLike {
      readonly #source: EventSourceLike
      constructor(url: string) {
        this.#source = open(url)
      }
      get readyState() {
        return this.#source.readyState
      }
      addEventListener(...args: Parameters<EventSourceLike['addEventListener']>) {
        this.#source.addEventListener(...args)
      }
      close() {
        this.#source.close()
      }
    }
  }

  #openSource(url: string): EventSourceLike {
    const listeners = new Map<string, Set<(event: { data: string; lastEventId: string }) => void>>()
    const way = `stream ${this.#world.streams.length} ${Math.random()}`
    let readyState = 0
    let lastEventId = ''
    const fire = (name: string, data = '') => {
      for (const listener of listeners.get(name) ?? []) listener({ data, lastEventId })
    }
    const post = (task: () => void) =>
      this.#world.post(this, way, () => {
        if (readyState !== 2) task()
      })
    const stream: Stream = {
      tab: this,
      lastEventId: new URL(url).searchParams.get('lastEventId') ?? '',
      isOpen: true,
      send: ({ event, data, id }) =>
        post(() => {
          lastEventId = id ?? lastEventId
          fire(event, data)
        }),
      end: () => {
        stream.isOpen = false
        post(() => {
          readyState = 0
          fire('error')
        })
      },
    }
    post(() => {
      readyState = 1
      fire('open')
    })
    this.#world.accept(stream)
    return {
      get readyState() {
        return readyState
      },
      addEventListener: (name, listener) => {
        listeners.set(name, (listeners.get(name) ?? new Set()).add(listener))
      },
      close: () => {
        readyState = 2
        stream.isOpen = false
      },
    }
  }
}
