import { markdown } from '../../bench/report/markdown.ts'
import { rounded } from '../../bench/report/rounded.ts'
import { measureFanOut } from './real.ts'
import { simulateFanOut } from './simulated.ts'

/**
 * npm run simulate:fan-out
 *
 * Prints what one log costs with many instances: counted in the simulation with up to 500 of them, and measured on a real
 * Redis with up to 50.
 */
const simulated = []
for (const [instances, topics] of [
  [50, 100],
  [500, 1],
  [500, 100],
  [500, 1_000],
] as const) {
  const { messages, bytes, storm } = await simulateFanOut(instances, topics)
  const { reads, topicsRead, bytesRead, milliseconds } = storm
  const counts = [instances, topics, messages, bytes, reads, topicsRead, bytesRead, storm.messages]
  simulated.push([...counts.map(count => count.toLocaleString('en')), rounded(milliseconds)])
}
const counted = ['messages', 'bytes of frames', 'reads', 'topics read', 'bytes read', 'messages in all', 'all live, ms']
console.log(`${markdown(['instances', 'topics each', ...counted], simulated, 0)}\n`)

const measured = []
for (const instances of [1, 10, 50]) {
  const { micros, bytes, stormMicros, stormCommands, stormScripts } = await measureFanOut(instances, 100)
  const storm = [rounded(stormMicros / 1_000), stormCommands.toLocaleString('en'), stormScripts.toLocaleString('en')]
  measured.push([String(instances), rounded(micros), Math.round(bytes).toLocaleString('en'), ...storm])
}
const costs = ['Redis CPU a publish, µs', 'bytes sent a publish', 'CPU of a storm, ms', 'its commands', 'its scripts']
console.log(markdown(['instances', ...costs], measured, 0))
