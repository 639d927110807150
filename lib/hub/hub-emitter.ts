import { EventEmitter } from 'node:events'
import { callAside } from '../application.ts'
import type { HubEvents } from './lifecycle.ts'

type Name = keyof HubEvents
type Listener = (...args: unknown[]) => unknown

// One listener for logs and one for metrics a mount is ordinary, and no leak that Node ought to warn of.
const MAX_LISTENERS = 100

/** Events that somebody ought to hear of. */
type News = 'fault' | 'lost' | 'refuse'

/**
 * Tells an application's listeners what happens. Each is called by itself: one that throws or rejects harms neither the
 * others nor whoever tells, and is a `fault`. News that nobody listens to is a warning of the process, once a kind.
 */
export class HubEmitter extends EventEmitter<HubEvents> {
  readonly #warned = new Set<string>()

  constructor() {
    super()
    this.setMaxListeners(MAX_LISTENERS)
  }

  override emit(name: unknown, ...args: unknown[]): boolean {
    const listeners = this.rawListeners(name as Name) as Listener[]
    // Such as `newListener`, and names that an application uses for itself.
    if (!isHubEvent(name)) return (super.emit as Listener).call(this, name, ...args) as boolean
    for (const listener of listeners) {
      callAside(
        () => listener.apply(this, args),
        error => {
          this.#listenerFailed(name, error)
        },
      )
    }
    if (listeners.length === 0) this.#unheard(name, args[0])
    return listeners.length > 0
  }

  /** Tells the listeners of an event. It never throws. */
  protected tell<N extends Name>(name: N, ...args: HubEvents[N]): void {
    this.emit(name, ...args)
  }

  #listenerFailed(name: Name, error: unknown): void {
    if (name === 'fault') this.#warn('FAULT_LISTENER', `a listener of \`fault\` failed itself (${kindOf(error)})`)
    else this.tell('fault', { during: `listener of \`${name}\``, error })
  }

  #unheard(name: Name, about: unknown): void {
    if (!isNews(name)) return
    const what = SUMMARY[name](about as never)
    this.#warn(`UNHEARD_${name.toUpperCase()}`, `${what}, and nobody listens: add hub.on('${name}', …)`)
  }

  // A warning for each client would be a flood.
  #warn(code: string, message: string): void {
    if (this.#warned.has(code)) return
    this.#warned.add(code)
    process.emitWarning(`${message}. This is said once.`, { type: 'KoaEventStreamWarning', code })
  }
}

// Messages of errors may hold what nobody is to read in a log.
const SUMMARY: { readonly [N in News]: (about: HubEvents[N][0]) => string } = {
  fault: ({ during, error }) => `something failed during "${during}" (${kindOf(error)})`,
  lost: ({ error }) => `the broker cannot do its work just now (${kindOf(error)})`,
  refuse: ({ reason, status }) => `a request was refused ("${reason}", status ${String(status)})`,
}

const HUB_EVENTS: Readonly<Record<Name, true>> = {
  open: true,
  close: true,
  refuse: true,
  gap: true,
  fault: true,
  ready: true,
  lost: true,
  drain: true,
}

function isHubEvent(name: unknown): name is Name {
  return typeof name === 'string' && Object.hasOwn(HUB_EVENTS, name)
}

function isNews(name: Name): name is News {
  return Object.hasOwn(SUMMARY, name)
}

/** What kind of an error it is: its code, or its name. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${error === null ? 'null' : typeof error}`
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : error.name
}
