/**
 * How far one log in Redis goes: `npm run bench:redis-scale -- [question…] [--quick] [--save]`. Prints a table; `--save`
 * puts that of all questions into docs/many-instances.md and `results`. `--quick` runs small, to see that all works.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { withSection } from '../../support/marked-section.ts'
import { ROOT } from '../../support/root.ts'
import { describeMachine, thisMachine } from '../report/machine.ts'
import { markdown } from '../report/markdown.ts'
import { questions, type Figure } from './questions.ts'

const SECTION = 'redis-scale'
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, save: { type: 'boolean', default: false } },
})
if (values.save && (values.quick || positionals.length > 0)) throw new Error('--save takes a whole run')

const figures: Figure[] = []
for (const [name, question] of Object.entries(questions)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  console.error(`${name}…`)
  figures.push(...(await question(values.quick ? 0.02 : 1)))
}
const rows = figures.map(({ what, measured }) => [what, measured])
const date = new Date().toISOString().slice(0, 10)
const table = `${markdown(['what', 'measured'], rows)}\n\nMeasured on ${date}, ${describeMachine(thisMachine())}.\n`
console.log(table)
if (values.save) await save()

async function save(): Promise<void> {
  const page = join(ROOT, 'docs/many-instances.md')
  await writeFile(page, withSection(await readFile(page, 'utf8'), SECTION, table))
  const about = 'Written by `npm run bench:redis-scale -- --save`. [How to read the numbers](../README.md#beside-it).'
  const results = `# How far one log in Redis goes\n\n${about}\n\n${table}`
  await writeFile(join(ROOT, 'test', 'bench', 'results', 'redis-scale.md'), results)
}
