/**
 * Checks a client of whatever language against docs/protocol.md: `npm run check:client -- command args…`. The command is run
 * once for each scene, with the URL to read behind its arguments, and stopped when the scene is over, or when the client has
 * asked for nothing for 10 seconds (`PATIENCE`). The exit code is 1 if it breaks a rule that it must keep.
 */
import { spawn } from 'node:child_process'
import { play } from './play.ts'
import { scenes } from './scenes.ts'

// All of it is the client's, options included.
const [command, ...args] = process.argv.slice(2)
const patience = Number(process.env.PATIENCE ?? 10) * 1_000
if (command === undefined || !(patience > 0)) {
  console.error('npm run check:client -- command args…, with PATIENCE as seconds in the environment')
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
