import test from 'ava'
import { EventStreamError } from 'koa-event-stream'
import { checkTopic, MAX_TOPIC_LENGTH } from '../lib/topic.ts'

test('a topic is any short text without white space and control characters', t => {
  for (const good of [
    'a',
    'user:1',
    'preise/€',
    'chat{room}',
    '😀',
    'cursor',
    '__proto__',
    'x'.repeat(MAX_TOPIC_LENGTH),
  ]) {
    t.is(checkTopic(good), good)
  }
})

test('a wildcard is refused: it would match nothing', t => {
  for (const topic of ['*', 'orders.*', 'orders/#', 'a/+/b', 'orders.>']) {
    t.throws(() => checkTopic(topic), { code: 'ERR_TOPIC_INVALID', message: /wildcard/ })
  }
})

test('anything else is refused, and the error can be logged', t => {
  const bad: unknown[] = [
    '',
    ' ',
    'a b',
    'a\n',
    '\r',
    '\0',
    '\u007f',
    '\u0085',
    '\ud800',
    'x'.repeat(MAX_TOPIC_LENGTH + 1),
  ]
  for (const topic of [...bad, undefined, null, 1, {}, ['a'], Symbol('a')]) {
    const error = t.throws(() => checkTopic(topic), { instanceOf: EventStreamError, code: 'ERR_TOPIC_INVALID' })
    // eslint-disable-next-line no-control-regex -- a log line must hold none
    t.notRegex(error.message, /[\u0000-\u001f]/)
  }
})
