import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { ROOT } from '../support/root.ts'

const TESTS = /\]\((test\/[\w/-]+\.test\.ts)\)/g

const text = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8')
const [, promises = ''] = /\n## Who may attack[^\n]*\n(.*?)\n## /s.exec(text) ?? []
const testsIn = (part: string) => [...part.matchAll(TESTS)].map(([, path = '']) => path)

test('each attack is answered by a test that is there', t => {
  const rows = promises.split('\n').filter(line => /^\| (?!attack|-)/.test(line))
  t.true(rows.length > 12)
  for (const row of rows) t.true(testsIn(row).length > 0, row.slice(0, 60))
})

test('each chapter on who may attack names its tests, and all that are named are there', t => {
  const chapters = promises.split(/^### /m).slice(1)
  t.true(chapters.length > 5)
  for (const chapter of chapters) t.true(testsIn(chapter).length > 0, chapter.slice(0, 60))
  for (const path of testsIn(text)) t.true(existsSync(join(ROOT, path)), path)
})
