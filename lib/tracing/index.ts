export { traces, type Traces, type TracesOptions } from './traces.ts'
