import { bridgeStream, createPublisher } from 'koa-event-stream/redis'
import { PATIENT } from '../support/progress.ts'

// Publishes what it is given, says so, and never gets to acknowledge it.
const [url = ''] = process.argv.slice(2)
const publisher = createPublisher({ ...PATIENT, client: url })
bridgeStream({
  client: url,
  stream: 'orders',
  target: {
    publish: async (topics, event, options) => {
      const id = await publisher.publish(topics, event, options)
      process.stdout.write(`${id}\n`)
      return new Promise(() => {})
    },
  },
})
