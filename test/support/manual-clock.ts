export { ManualClock } from 'koa-event-stream/testing'
