/**
 * A model's answer to many readers, here and by `resumable-stream`, on the same Redis:
 * `npm run bench:relay -- [--tokens 5000] [--rate 80] [--readers 1,10,1000] [--save]`. Prints two tables; `--save` puts them into docs/relay.md
 * and `results`.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { withSection } from '../../support/marked-section.ts'
import { ROOT } from '../../support/root.ts'
import { describeMachine, thisMachine } from '../report/machine.ts'
import { markdown } from '../report/markdown.ts'
import { exitOnSignals } from '../temporary.ts'
import { contenders, type ContenderName } from './contenders.ts'
import { measureDeath, measureDelivery } from './measures.ts'

const SECTION = 'bench-relay'
const FULL = { tokens: '5000', rate: '80', readers: '1,10,1000' }
const names = Object.keys(contenders) as ContenderName[]

exitOnSignals()
const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: FULL.tokens },
    rate: { type: 'string', default: FULL.rate },
    readers: { type: 'string', default: FULL.readers },
    save: { type: 'boolean', default: false },
  },
})
const isFull = (['tokens', 'rate', 'readers'] as const).every(name => values[name] === FULL[name])
if (values.save && !isFull) throw new TypeError('--save takes a whole run: neither --tokens nor --rate nor --readers')
const pace = { tokens: positive('tokens', values.tokens), rate: positive('rate', values.rate) }

const deliveries: string[][] = []
for (const readers of values.readers.split(',').map(count => positive('readers', count))) {
  for (const name of names) deliveries.push(await deliver(name, readers))
}
const deaths: string[][] = []
for (const name of names) {
  console.error(`${name}: the producer is killed…`)
  const { reader, late } = await measureDeath(name, pace.rate)
  deaths.push([name, reader, late])
}

const date = new Date().toISOString().slice(0, 10)
const table = [
  `${pace.tokens} tokens, ${pace.rate} a second, to readers on another instance than the model.`,
  markdown(
    ['readers', 'by', 'publishes a second', 'CPU a token and reader, µs', 'median, ms', 'p99, ms'],
    deliveries,
    2,
  ),
  'The instance with the model is killed in the middle:',
  markdown(['by', 'readers', 'who comes afterwards'], deaths, 3),
  `Measured on ${date}, ${describeMachine(thisMachine())}.\n`,
].join('\n\n')
console.log(table)
if (values.save) await save()

async function deliver(name: ContenderName, readers: number): Promise<string[]> {
  console.error(`${name}, ${readers} readers…`)
  try {
    const { publishes, cpu, p50, p99 } = await measureDelivery(name, readers, pace)
    return [String(readers), name, ...[publishes, cpu, p50, p99].map(figure => String(Number(figure.toPrecision(3))))]
  } catch (error) {
    // What cannot keep up is a result as well.
    console.error(error)
    return [String(readers), name, ...Array<string>(4).fill('failed')]
  }
}

function positive(name: string, value: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1) throw new TypeError(`--${name} takes whole numbers from 1`)
  return number
}

async function save(): Promise<void> {
  const page = join(ROOT, 'docs', 'relay.md')
  await writeFile(page, withSection(await readFile(page, 'utf8'), SECTION, table))
  const about = 'Written by `npm run bench:relay -- --save`. [How to read the numbers](../README.md#beside-it).'
  const results = join(ROOT, 'test', 'bench', 'results', 'relay.md')
  await writeFile(results, `# A model's answer to many readers\n\n${about}\n\n${table}`)
}
