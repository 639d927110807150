/**
 * What applications test with.
 *
 * @module koa-event-stream/testing
 */
export { authenticatorContract } from './authenticator-contract/index.ts'
export type {
  ContractAuthenticator,
  ContractAuthenticatorOptions,
  ContractLogin,
  ContractRequest,
} from './authenticator-contract/bench.ts'
export {
  brokerContract,
  type BrokerContractOptions,
  type ContractBrokerOptions,
  type TestFunction,
} from './broker-contract/index.ts'
export { manualClock, type ManualClock } from './manual-clock.ts'
export { recorder, type PublishedEvent, type Recorder } from './recorder.ts'
export { signedIn, type TestIdentity } from './signed-in.ts'
export { StreamRefused } from './stream-refused.ts'
export type { TestApp } from './site-server.ts'
export type { TestEvent, TestStream, WaitOptions } from './test-stream.ts'
export {
  testStreams,
  type FetchOptions,
  type OpenOptions,
  type TestSite,
  type TestStreamsOptions,
} from './test-streams.ts'
