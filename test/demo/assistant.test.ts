import { randomUUID } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import type { ReceivedStream } from '../support/http.ts'
import { ENDS } from '../relay/site.ts'
import { startRedis } from '../support/redis-server.ts'
import { Model } from './model.ts'
import { openSite, patientUrl, type Site } from './site.ts'

const QUESTION = 'Where are my orders?'

const isToken = ({ event }: { event?: string }) => event === 'token'

/** What has come of an answer, and the event that ended it. */
function answerIn({ received }: ReceivedStream): [text: string, ending: string | undefined] {
  const tokens = received.filter(isToken)
  const text = tokens.map(({ data }) => (JSON.parse(data) as { text: string }).text).join('')
  return [text, received.find(({ event }) => ENDS.includes(event))?.event]
}

/** Two instances that share Redis, with one model. */
async function twoInstances(t: ExecutionContext): Promise<{ model: Model; one: Site; other: Site }> {
  const redis = await startRedis(t)
  const model = new Model()
  const open = () => openSite(t, { redisUrl: patientUrl(redis) }, { answer: model.answer })
  return { model, one: await open(), other: await open() }
}

test('an answer comes as a stream of tokens and ends', async t => {
  const ada = await (await openSite(t)).loggedIn('ada')
  const stream = await ada.ask(QUESTION)
  t.is(stream.status, 200)
  t.is(await stream.closed, 'end')
  t.true(stream.received.filter(isToken).length > 5)
  t.deepEqual(answerIn(stream), [
    'All of your orders have been delivered. Nothing is on its way at the moment.',
    'done',
  ])
})

test('an answer goes on when nobody reads it, and a page that is loaded later reads it from its beginning', async t => {
  const model = new Model()
  const site = await openSite(t, {}, { answer: model.answer })
  const ada = await site.loggedIn('ada')
  const id = randomUUID()
  const asked = await ada.ask(QUESTION, id)
  const answer = await model.answerTo(QUESTION)
  answer.say('On ', 'their ')
  await asked.next(({ data }) => data.includes('their'))
  asked.close()
  answer.say('way')

  const page = await (await ada.get('/assistant')).text()
  t.true(page.includes(`data-question="${id}"`))
  t.true(page.includes(QUESTION))
  const reader = await ada.readAnswer(id)
  await reader.next(({ data }) => data.includes('way'))
  answer.say('.')
  answer.end()
  t.is(await reader.closed, 'end')
  t.deepEqual(answerIn(reader), ['On their way.', 'done'])
  t.is(model.answersTo(QUESTION).length, 1)
  t.false((await (await (await site.loggedIn('grace')).get('/assistant')).text()).includes(id))
})

test('only who has asked may read, join or stop an answer', async t => {
  const model = new Model()
  const site = await openSite(t, {}, { answer: model.answer })
  const [ada, grace] = [await site.loggedIn('ada'), await site.loggedIn('grace')]
  const id = randomUUID()
  const asked = await ada.ask(QUESTION, id)
  const answer = await model.answerTo(QUESTION)
  for (const status of [
    (await grace.readAnswer(id)).status,
    (await grace.ask(QUESTION, id)).status,
    await grace.stopAnswer(id),
    (await ada.post(`/assistant/answers/${id}`, { question: QUESTION }, { 'Sec-Fetch-Site': 'cross-site' })).status,
  ]) {
    t.is(status, 403)
  }
  t.is((await site.visitor().readAnswer(id)).status, 401)
  answer.say('Here.')
  answer.end()
  await asked.closed
  t.deepEqual(answerIn(asked), ['Here.', 'done'])
})

test('an answer is stopped from another tab, on another instance', async t => {
  const { model, one, other } = await twoInstances(t)
  const [ada, elsewhere] = [await one.loggedIn('ada'), await other.loggedIn('ada')]
  const id = randomUUID()
  await ada.ask(QUESTION, id)
  const readers = [await ada.readAnswer(id), await elsewhere.readAnswer(id)]
  const answer = await model.answerTo(QUESTION)
  answer.say('On')
  for (const reader of readers) await reader.next(isToken)
  t.is(await elsewhere.stopAnswer(id), 204)
  t.deepEqual(await answer.stopped(), { kind: 'cancelled', reason: 'request' })
  for (const reader of readers) {
    await reader.closed
    t.deepEqual(answerIn(reader), ['On', 'cancelled'])
  }
})

test('an instance shuts down: the answer is interrupted, and begins anew on another one when it is asked for again', async t => {
  const { model, one, other } = await twoInstances(t)
  const [ada, elsewhere] = [await one.loggedIn('ada'), await other.loggedIn('ada')]
  const id = randomUUID()
  await ada.ask(QUESTION, id)
  const reader = await elsewhere.readAnswer(id)
  ;(await model.answerTo(QUESTION)).say('On')
  await reader.next(isToken)
  await one.hub.drain()
  await reader.closed
  t.deepEqual(answerIn(reader), ['On', 'interrupted'])
  const anew = await elsewhere.ask(QUESTION, id)
  const second = await model.answerTo(QUESTION, 2)
  second.say('Here.')
  second.end()
  await anew.closed
  t.deepEqual(answerIn(anew), ['Here.', 'done'])
  const page = await (await elsewhere.get('/assistant')).text()
  t.is(page.split(`data-question="${id}"`).length, 2, 'it is the same question')
})

test('an empty or an endless question is refused, and so is a stranger', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  t.is((await ada.ask('  ')).status, 422)
  t.is((await ada.ask('?'.repeat(501))).status, 422)
  t.is((await site.visitor().ask(QUESTION)).status, 401)
})
