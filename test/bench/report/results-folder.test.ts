import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Results } from '../run.ts'
import type { Workload } from '../workload.ts'
import { workloads as all } from '../workloads/index.ts'
import { ResultsFolder, resultsFolder } from './results-folder.ts'

const workloads = ['steady', 'burst'].map(workloadCalled)
const [steady, burst] = workloads as [Workload, Workload]

test('what is saved takes the place of the last run of the same workload only', async t => {
  const { folder, read } = await temporary(t)
  await folder.save(steady, results({ memory: 1, gin: 2 }), 3)
  await folder.save(burst, results({ memory: 3 }), 3)
  await folder.save(steady, results({ memory: 4.56789 }), 5)
  const saved = JSON.parse(await read('results.json'))
  t.like(saved.steady, { rounds: 5, measures: { memory: { cpu: 4.568 } } })
  t.like(saved.burst, { rounds: 3, measures: { memory: { cpu: 3 } } })
  t.deepEqual(Object.keys(saved.steady.measures), ['memory'])
  t.deepEqual(Object.keys(saved.steady.machine), ['cpu', 'cores', 'memory', 'node', 'kernel'])
  t.regex(saved.steady.date, /^\d{4}-\d\d-\d\d$/)
})

test('the page has the workloads that were run, in their order, and the targets', async t => {
  const { folder, read } = await temporary(t)
  await folder.save(burst, results({ memory: 3 }), 3)
  t.deepEqual(headings(await read('README.md')), ['burst', 'targets'])
  await folder.save(steady, results({ memory: 8, 'node-http': 10 }), 3)
  const page = await read('README.md')
  t.deepEqual(headings(page), ['steady', 'burst', 'targets'])
  t.regex(page, /^\| node:http +\| +10\.0 \|$/m)
  t.regex(page, /^\| steady +\| CPU a delivery, memory ÷ node-http +\| met +\| +≤ 0\.8 \| +0\.80 \|$/m)
})

test('a chart has a bar for each contender, as long as its share of the longest', async t => {
  const { folder, read } = await temporary(t)
  await folder.save(steady, results({ 'node-http': 10, memory: 5 }), 3)
  const chart = await read('steady.svg')
  for (const text of ['node:http', 'this library, memory', 'CPU, µs', 'less is better', '10.0', '5.00']) {
    t.true(chart.includes(`>${text}</text>`), text)
  }
  const [theirs = NaN, ours = NaN] = [...chart.matchAll(/<path d="M200 [^"]*?L([\d.]+) [^"]*" fill="#/g)]
    .map(([, right]) => Number(right) - 200)
    .sort((a, b) => b - a)
  t.true(Math.abs(theirs / ours - 2) < 0.05, `${theirs} and ${ours}`)
})

test('everything can be drawn again from the numbers', async t => {
  const { path, folder, read } = await temporary(t)
  await folder.save(steady, results({ memory: 5 }), 3)
  const [chart, page] = [await read('steady.svg'), await read('README.md')]
  for (const name of ['steady.svg', 'README.md']) await rm(join(path, name))
  await folder.draw()
  t.is(await read('steady.svg'), chart)
  t.is(await read('README.md'), page)
  t.deepEqual((await readdir(path)).sort(), ['README.md', 'results.json', 'steady.svg'])
})

test('a summary goes between the marks of its page, and leaves the rest', async t => {
  const { folder, summary } = await temporary(t)
  await folder.save(steady, results({ memory: 8, 'node-http': 10 }), 3)
  const text = await readFile(summary, 'utf8')
  t.regex(text, /^# Project\n\n<!-- bench -->\n\n\| workload /)
  t.regex(text, /^\| steady +\| CPU a delivery, memory ÷ node-http +\| met /m)
  t.regex(text, /\nMeasured on [\d-]+, .*\.\n\n<!-- \/bench -->\n\nMore\.\n$/)
  t.true(await folder.isSummarized())
  await writeFile(summary, text.replace('met ', 'new '))
  t.false(await folder.isSummarized())
})

test('the page on speed has what was measured last', async t => {
  t.true(await resultsFolder(all).isSummarized(), 'npm run bench -- --redraw writes it')
})

async function temporary(t: ExecutionContext) {
  const parent = await mkdtemp(join(tmpdir(), 'results-'))
  t.teardown(() => rm(parent, { recursive: true }))
  const path = join(parent, 'results')
  await mkdir(path)
  const summary = join(parent, 'speed.md')
  await writeFile(summary, '# Project\n\n<!-- bench -->\n\nold\n\n<!-- /bench -->\n\nMore.\n')
  const folder = new ResultsFolder(path, workloads, summary)
  return { path, summary, folder, read: (name: string) => readFile(join(path, name), 'utf8') }
}

function workloadCalled(name: string): Workload {
  const metrics = [{ key: 'cpu', title: 'CPU', unit: 'µs' }]
  return { name, about: 'Something is done', metrics, contenders: [], run: () => Promise.reject(new Error('no')) }
}

function results(cpu: Record<string, number>): Results {
  return new Map(Object.entries(cpu).map(([contender, value]) => [contender, { cpu: value }]))
}

function headings(page: string): string[] {
  return [...page.matchAll(/^## (.*)$/gm)].map(([, name]) => name ?? '')
}
