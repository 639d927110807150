export { idOf } from '../../lib/testing/broker-contract/parts.ts'
export { Recorder, type Heard } from '../../lib/testing/broker-contract/recorder.ts'
