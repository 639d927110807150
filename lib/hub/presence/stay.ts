import type { Identity } from '../../auth/identity.ts'
import { discardsQueue, mayComeBack, type CloseReason } from '../../stream/close-reason.ts'
import type { TopicStart } from '../feed/origin.ts'
import { POLL_PAUSE } from '../poll.ts'
import type { Audience } from './audience.ts'

/** The part of a stream that presence needs. */
export interface Visitor {
  readonly identity: Identity | undefined
  readonly policy: { readonly retry: number }
  readonly comeBackAfter: number | undefined
  readonly isPollOver: boolean
  readonly stream: { readonly closeReason: CloseReason | undefined }
}

// The largest factor of `jitteredRetry`.
const LONGEST_WAIT = 1.5

/** The topics at which a stream makes its identity present, from when it opens until it closes or loses the topic. */
export class Stay {
  readonly #audience: Audience
  readonly #visitor: Visitor
  // The info about the identity, by topic.
  #topics: Map<string, string> | undefined
  #hasBegun = false

  constructor(audience: Audience, visitor: Visitor) {
    this.#audience = audience
    this.#visitor = visitor
  }

  /** Sets the topics for `begin`. */
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
    // The first long poll of a client ends before this is called.
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

  // Milliseconds in which the client may reconnect without appearing to have left.
  #grace(reason: CloseReason): number {
    const { isPollOver, comeBackAfter, policy } = this.#visitor
    if (isPollOver) return POLL_PAUSE
    if (!mayComeBack(reason) || discardsQueue(reason) || reason === 'superseded') return 0
    return (comeBackAfter ?? policy.retry * LONGEST_WAIT) + this.#audience.grace
  }
}
