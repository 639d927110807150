/**
 * A site in a process of its own, to be killed: its log lives and dies with it, and logins outlive it. It tells its
 * parent its port, and publishes what its parent sends.
 */
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import { addLogin, login } from './login.ts'
import { emptyPage, RETRY } from './site.ts'

const hub = createHub()
const app = new Koa()
addLogin(app)
app.use(emptyPage)
app.use(
  eventStream({ hub, authenticate: login, retry: RETRY, subscribe: ({ identity }) => ['news', `user:${identity.id}`] }),
)

const server = app.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('message', text => hub.publish('news', { data: text }))
process.on('disconnect', () => process.exit())
