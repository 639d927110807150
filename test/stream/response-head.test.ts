import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import test from 'ava'
import { flattenHead } from '../../lib/stream/response-head.ts'

test('a head is what it was, and where there is none nothing is done', t => {
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  flattenHead(response)
  response.setHeader('X-Test', 'a').flushHeaders()
  const before = Reflect.get(response, '_header') as unknown
  t.regex(String(before), /^HTTP\/1\.1 200 OK\r\nX-Test: a\r\n/)
  flattenHead(response)
  t.is(Reflect.get(response, '_header'), before)
  for (const other of [{}, { _header: null }, { _header: 7 }]) t.notThrows(() => flattenHead(other))
})
