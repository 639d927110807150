import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { ROOT } from '../support/root.ts'

const TYPEDOC = join(ROOT, 'node_modules/typedoc/bin/typedoc')

test('the API reference is that of the code as it is', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'api-'))
  t.teardown(() => rm(folder, { recursive: true }))
  // The types have been checked before.
  const args = [TYPEDOC, '--skipErrorChecking', '--options', join(ROOT, 'test/package/typedoc.json'), '--out', folder]
  await promisify(execFile)(process.execPath, args, { cwd: ROOT })
  const saved = join(ROOT, 'docs/api')
  const names = (await readdir(folder)).sort()
  t.true(names.length > 5)
  t.deepEqual((await readdir(saved)).sort(), names)
  for (const name of names) {
    const [now, then] = await Promise.all([folder, saved].map(place => readFile(join(place, name), 'utf8')))
    t.is(then, now, `${name} has changed: npm run update:api writes it`)
  }
})
