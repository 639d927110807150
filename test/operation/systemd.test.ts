import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ROOT } from '../support/root.ts'

const unit = await readFile(join(ROOT, 'docs/operation/koa-event-stream.service'), 'utf8')

test('the unit leaves more time than the drain takes, and kills nobody before', t => {
  const drain = Number(/within: ([\d_]+)/.exec(unit)?.[1]?.replace('_', '')) / 1_000
  t.true(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) > drain)
  t.regex(unit, /^KillSignal=SIGTERM$/m)
})

// Where there is a systemd. Elsewhere nobody could use the unit.
if (spawnSync('systemd-analyze', ['--version']).status === 0) {
  test('systemd has nothing to say against the unit', async t => {
    const verify = async (text: string) => {
      const folder = await mkdtemp(join(tmpdir(), 'unit-'))
      const file = join(folder, 'app.service')
      // The program that it starts has to be there.
      await writeFile(file, text.replace('/usr/bin/node', process.execPath))
      const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', file], {
        encoding: 'utf8',
      })
      await rm(folder, { recursive: true })
      return { said: stderr.split('\n').filter(line => line.includes('app.service')) }
    }
    t.deepEqual((await verify(unit)).said, [])
    t.not((await verify(unit.replace('KillMode=mixed', 'KillMode=gentle'))).said.length, 0)
  })
}
