import type { Identity } from '../../auth/identity.ts'
import { discardsQueue, mayComeBack, type CloseReason } from '../../stream/close-reason.ts'
import type { TopicStart } from '../feed/origin.ts'
import { POLL_PAUSE } from '../poll.ts'
import type { Audience } from './audience.ts'

/** A stream, as far as its presence is concerned. */
export interface Visitor {
  readonly identity: Identity | undefined
  readonly policy: { readonly retry: number }
  readonly comeBackAfter: number | undefined
  readonly isPollOver: boolean
  readonly stream: { readonly closeReason: CloseReason | undefined }
}

// A client may wait for half as long again as it is told.
const LONGEST_WAIT = 1.5

/** Where a stream makes its identity present, from when it opens until it closes or a topic is taken away. */
export class Stay {
  readonly #audience: Audience
  readonly #visitor: Visitor
  // By topic, what is said of the identity.
  #topics: Map<string, string> | undefined
  #hasBegun = false

  constructor(audience: Audience, visitor: Visitor) {
    this.#audience = audience
    this.#visitor = visitor
  }

  /** It is to be present there once it begins. */
  plan(starts: readonly TopicStart[]): void {
    for (const { topic, presence } of starts) {
      if (presence !== undefined) (this.#topics ??= new Map()).set(topic, presence)
    }
  }

  begin(): void {
    const { identity, stream } = this.#visitor
    if (this.#topics === undefined || identity === undefined) return
    this.#hasBegun = true
    for (const [topic, info] of this.#topics) this.#audience.enter({ topic, id: identity.id }, info)
    // The first one of a row of long polls ends before it is announced.
    if (stream.closeReason !== undefined) this.end(stream.closeReason)
  }

  leave(topics: readonly string[]): void {
    for (const topic of topics) this.#leave(topic, 0)
  }

  end(reason: CloseReason): void {
    if (!this.#hasBegun) return
    for (const topic of this.#topics?.keys() ?? []) this.#leave(topic, this.#grace(reason))
  }

  #leave(topic: string, grace: number): void {
    const { identity } = this.#visitor
    if (this.#topics?.delete(topic) !== true || !this.#hasBegun || identity === undefined) return
    this.#audience.leave({ topic, id: identity.id }, grace)
  }

  // Milliseconds in which the client may come back without anybody having seen that it was away.
  #grace(reason: CloseReason): number {
    const { isPollOver, comeBackAfter, policy } = this.#visitor
    if (isPollOver) return POLL_PAUSE
    if (!mayComeBack(reason) || discardsQueue(reason) || reason === 'superseded') return 0
    return (comeBackAfter ?? policy.retry * LONGEST_WAIT) + this.#audience.grace
  }
}
