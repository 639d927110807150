import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { build } from '../build.ts'
import { built } from '../contenders/built.ts'
import { run } from '../run.ts'
import { temporaryFolder } from '../temporary.ts'
import { idleMemory } from './idle-memory.ts'
import { savings } from './list.ts'
import { lineUp, WHOLE } from './measure.ts'
import { savingsTable } from './table.ts'
import { buildWithout } from './without.ts'

let compiled: string

test.before(async () => {
  compiled = await build()
})

test.serial('the library is measured as it is, twice', async t => {
  const results = await run(idleMemory, await lineUp([], compiled), { build: compiled, rounds: 1, size: 'smoke' })
  t.deepEqual([...results.keys()], [WHOLE, `${WHOLE} (again)`])
})

for (const saving of savings) {
  test.serial(`the library works without ${saving.name}`, async t => {
    const without = built(saving.name, await buildWithout(saving, compiled))
    const measures = await idleMemory.run(without, compiled, 'smoke')
    t.deepEqual(Object.keys(measures), ['resident', 'heap'])
    t.true(Object.values(measures).every(Number.isFinite))
  })
}

test('a saving is switched off in a copy', async t => {
  const folder = await library('watch(res);\nstopWatch(res);\n')
  const without = await buildWithout(saving('stopWatch(res);', ''), folder)
  t.is(await readFile(join(without, 'lib/koa.js'), 'utf8'), 'watch(res);\n\n')
  t.is(await readFile(join(folder, 'lib/koa.js'), 'utf8'), 'watch(res);\nstopWatch(res);\n')
})

test('a patch whose text is not in the library once is refused', async t => {
  const folder = await library('stop(a);\nstop(b);\n')
  for (const from of ['stop(', 'start(']) {
    await t.throwsAsync(buildWithout(saving(from, ''), folder), {
      instanceOf: RangeError,
      message: `a watch less: \`${from}\` is to be in koa.js once`,
    })
  }
})

test('what a saving saves is what the library takes more without it', t => {
  const results = new Map([
    [WHOLE, { resident: 10_000, heap: 4_000 }],
    ['without a', { resident: 12_500.4, heap: 3_990 }],
  ])
  t.deepEqual(savingsTable(idleMemory, results, WHOLE).split('\n').slice(2), [
    '| as it is  |                   10,000 |                4,000 |                 |             |',
    '| without a |                   12,500 |                3,990 |           2,500 |         -10 |',
  ])
})

function saving(from: string, to: string) {
  return { name: 'a watch less', patches: [{ file: 'koa.js', from, to }] }
}

/** A build whose library is one file. */
async function library(text: string): Promise<string> {
  const folder = await temporaryFolder()
  await mkdir(join(folder, 'lib'))
  await writeFile(join(folder, 'lib/koa.js'), text)
  return folder
}
