/**
 * Checks a client of whatever language against docs/protocol.md: `npm run check:client -- [--patience 10] command args…`. The
 * command is run once for each scene, with the URL to read behind its arguments, and stopped when the scene is over. The exit
 * code is 1 if it breaks a rule that it must keep.
 */
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { play } from './play.ts'
import { scenes } from './scenes.ts'

const { values, positionals } = parseArgs({
  options: { patience: { type: 'string', default: '10' } },
  allowPositionals: true,
})
const [command, ...args] = positionals
const patience = Number(values.patience) * 1_000
if (command === undefined || !(patience > 0)) {
  console.error('npm run check:client -- [--patience seconds] -- command args…')
  process.exit(2)
}

const start = (url: string) => {
  const child = spawn(command, [...args, url], { stdio: ['ignore', 'ignore', 'inherit'] })
  return { stop: () => child.kill('SIGKILL') }
}
const verdicts = await Promise.all(scenes.map(scene => play(scene, start, patience)))
for (const { scene, wrong } of verdicts) {
  console.log(`${wrong === undefined ? 'ok   ' : 'WRONG'}  ${scene.name.padEnd(8)}  ${scene.level}  ${scene.rule}`)
  if (wrong !== undefined) console.log(`                        ${wrong}`)
}
process.exitCode = verdicts.some(({ scene, wrong }) => scene.level === 'must' && wrong !== undefined) ? 1 : 0
