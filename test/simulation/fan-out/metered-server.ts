import type { LogPage, Wish } from '../../../lib/broker/replica/log-engine.ts'
import { LogServer, type Entry } from '../log-server.ts'

/** A server of the log that counts what it does. */
export class MeteredServer extends LogServer {
  /** Events handed to connections that listen, and bytes of them. */
  handedOut = 0
  handedOutBytes = 0
  /** Answered reads, the topics that they were about, and bytes of the events in the answers. */
  reads = 0
  topicsRead = 0
  bytesRead = 0

  override apply(entry: Entry): void {
    for (const topic of entry.topics) {
      for (const subscription of this.subscriptions) {
        if (!subscription.topics.has(topic)) continue
        this.handedOut += 1
        this.handedOutBytes += entry.frame.length
      }
    }
    super.apply(entry)
  }

  override read(wishes: readonly Wish[], bytes: number): LogPage {
    const page = super.read(wishes, bytes)
    this.reads += 1
    this.topicsRead += wishes.length
    for (const { events } of page.topics) for (const { frame } of events) this.bytesRead += frame.length
    return page
  }
}
