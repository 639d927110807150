import test, { type ExecutionContext } from 'ava'
import { startRedis } from '../support/redis-server.ts'
import { openSite, PASSWORDS, patientUrl, type Site, type Visitor } from './site.ts'

/** What the demo lets a user do in a minute. */
const [OPENINGS, FAILURES] = [120, 10]

/** Opens the pages' stream so often, and leaves each again. */
async function openAndLeave(t: ExecutionContext, visitor: Visitor, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    const stream = await visitor.openStream()
    t.true((await stream.next(({ event }) => event === 'cursor')).id !== '')
    stream.close()
  }
}

async function isTurnedAway(t: ExecutionContext, visitor: Visitor): Promise<void> {
  const stream = await visitor.openStream()
  t.is(stream.status, 200)
  t.is(await stream.closed, 'end')
  t.regex(await stream.text(), /^retry: \d+\nevent: goaway\ndata: {"reason":"overload"}\n\n$/)
}

async function twoInstances(t: ExecutionContext): Promise<[Site, Site]> {
  const redis = await startRedis(t)
  return [await openSite(t, { redisUrl: patientUrl(redis) }), await openSite(t, { redisUrl: patientUrl(redis) })]
}

test('a user who opens streams too often is told to come back later, and others are not', async t => {
  const site = await openSite(t)
  const [ada, grace] = [await site.loggedIn('ada'), await site.loggedIn('grace')]
  await openAndLeave(t, ada, OPENINGS)
  await isTurnedAway(t, ada)
  t.is((await ada.ask('How many orders?')).status, 429, 'who asks with `fetch` gets a status')
  await openAndLeave(t, grace, 1)
})

test('instances that share Redis count together', async t => {
  const [first, second] = await twoInstances(t)
  await openAndLeave(t, await first.loggedIn('ada'), OPENINGS / 2)
  const ada = await second.loggedIn('ada')
  await openAndLeave(t, ada, OPENINGS / 2)
  await isTurnedAway(t, ada)
})

test('who guesses passwords has to wait on all instances', async t => {
  const [first, second] = await twoInstances(t)
  for (let n = 0; n < FAILURES; n += 1) t.is((await first.visitor().logIn('ada', `guess ${n}`)).status, 401)
  t.is((await second.visitor().logIn('ada', PASSWORDS.ada)).status, 429)
  t.is((await second.visitor().logIn('grace', PASSWORDS.grace)).status, 303)
})
