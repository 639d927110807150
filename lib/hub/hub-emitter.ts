import { EventEmitter } from 'node:events'
import { callAside } from '../application.ts'
import type { HubEvents } from './lifecycle.ts'

type Name = keyof HubEvents
type Listener = (...args: unknown[]) => unknown

// Several mounts may each add a listener for logs and one for metrics: that is no leak for Node to warn of.
const MAX_LISTENERS = 100

/** Events that an application should listen to. */
type Alert = 'fault' | 'lost' | 'refuse'

/**
 * Emits the hub's events. A listener that throws or rejects affects neither the other listeners nor the emitting code;
 * its error is emitted as a `fault`. The first alert of each kind without a listener becomes a process warning.
 */
export class HubEmitter extends EventEmitter<HubEvents> {
  readonly #warned = new Set<string>()

  constructor() {
    super()
    this.setMaxListeners(MAX_LISTENERS)
  }

  override emit(name: unknown, ...args: unknown[]): boolean {
    const listeners = this.rawListeners(name as Name) as Listener[]
    // Such as `newListener`, and the application's own events.
    if (!isHubEvent(name)) return (super.emit as Listener).call(this, name, ...args) as boolean
    for (const listener of listeners) {
      callAside(
        () => listener.apply(this, args),
        error => {
          this.#listenerFailed(name, error)
        },
      )
    }
    if (listeners.length === 0) this.#warnUnheard(name, args[0])
    return listeners.length > 0
  }

  /** Emits an event. Never throws. */
  protected tell<N extends Name>(name: N, ...args: HubEvents[N]): void {
    this.emit(name, ...args)
  }

  #listenerFailed(name: Name, error: unknown): void {
    if (name === 'fault') this.#warn('FAULT_LISTENER', `a listener of \`fault\` failed (${kindOf(error)})`)
    else this.tell('fault', { during: `listener of \`${name}\``, error })
  }

  #warnUnheard(name: Name, about: unknown): void {
    if (!isAlert(name)) return
    const what = SUMMARY[name](about as never)
    this.#warn(`UNHEARD_${name.toUpperCase()}`, `${what}, but '${name}' has no listener: add hub.on('${name}', …)`)
  }

  // Once per code: one warning per client would be a flood.
  #warn(code: string, message: string): void {
    if (this.#warned.has(code)) return
    this.#warned.add(code)
    process.emitWarning(`${message}. This warning is shown once.`, { type: 'KoaEventStreamWarning', code })
  }
}

// Without error messages: they may contain secrets.
const SUMMARY: { readonly [N in Alert]: (about: HubEvents[N][0]) => string } = {
  fault: ({ during, error }) => `something failed during "${during}" (${kindOf(error)})`,
  lost: ({ error }) => `the broker is unavailable (${kindOf(error)})`,
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

function isAlert(name: Name): name is Alert {
  return Object.hasOwn(SUMMARY, name)
}

/** The code of an error, or its name. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${error === null ? 'null' : typeof error}`
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : error.name
}
