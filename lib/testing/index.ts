/**
 * What applications test with.
 *
 * @module koa-event-stream/testing
 */
export { ManualClock } from './manual-clock.ts'
export { signedIn, type TestIdentity } from './signed-in.ts'
