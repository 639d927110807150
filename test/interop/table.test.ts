import { readFile, writeFile } from 'node:fs/promises'
import test from 'ava'
import { neighbours } from './neighbours.ts'
import { sectionIn, withSection } from '../support/marked-section.ts'
import { nameOf, PAGE, SECTION, tableOf } from './table.ts'

test('the table in the docs is that of the neighbours which are tested, in their installed versions', async t => {
  const table = await tableOf(neighbours)
  const text = await readFile(PAGE, 'utf8')
  if (process.env.UPDATE) await writeFile(PAGE, withSection(text, SECTION, table))
  t.is(sectionIn(await readFile(PAGE, 'utf8'), SECTION), table, 'npm run update:interop writes it')
})

test('no neighbour is listed twice', t => {
  const names = neighbours.map(nameOf)
  t.deepEqual(names, [...new Set(names)])
})
