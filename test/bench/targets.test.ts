import test from 'ava'
import { judge } from './targets.ts'
import { workloads } from './workloads/index.ts'

test('every target is of what is measured', t => {
  const measured = new Map(
    workloads.map(({ name, contenders, metrics }) => {
      const measures = Object.fromEntries(metrics.map(({ key }) => [key, 1]))
      return [name, new Map(contenders.map(contender => [contender, measures]))]
    }),
  )
  for (const { title, value } of judge(measured)) t.true(Number.isFinite(value), title)
})

test('a target is met up to its limit, and missed beyond', t => {
  t.deepEqual(verdicts({ memory: 8, 'node-http': 10, nchan: 8 }), ['met', 'missed'])
  t.deepEqual(verdicts({ memory: 8.1, 'node-http': 10, nchan: 10 }), ['missed', 'met'])
})

test('a target is neither met nor missed without all that it takes', t => {
  t.deepEqual(verdicts({ memory: 1, 'node-http': 10 }), ['met', 'not measured'])
  t.deepEqual(verdicts({ nchan: 10 }), ['not measured', 'not measured'])
})

test('a rate is to be at least so high', t => {
  const verdictOn = (rate: number) => {
    const measured = new Map([['burst', new Map(of('rate', { memory: rate, nchan: 100 }))]])
    return judge(measured).find(({ workload, title }) => workload === 'burst' && title.endsWith('nchan'))?.verdict
  }
  t.is(verdictOn(400), 'met')
  t.is(verdictOn(399), 'missed')
})

/** On the CPU time of steady streams, against node:http and Nchan. */
function verdicts(cpu: Record<string, number>): string[] {
  const measured = new Map([['steady', new Map(of('cpu', cpu))]])
  return judge(measured)
    .filter(({ title }) => title.startsWith('CPU a delivery, memory ÷ n'))
    .map(({ verdict }) => verdict)
}

function of(key: string, values: Record<string, number>): [string, Record<string, number>][] {
  return Object.entries(values).map(([contender, value]) => [contender, { [key]: value }])
}
