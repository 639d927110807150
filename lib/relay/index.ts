/**
 * Answers that outlive their readers.
 *
 * @module koa-event-stream/relay
 */
export type { EndKind, EndReason } from './batch.ts'
export type { CancelOptions, FollowOptions, RelayOptions, Run, RunContext, SentEvent, StartOptions } from './options.ts'
export { relay, type Relay } from './relay.ts'
