import test from 'ava'
import { built } from '../contenders/built.ts'
import type { Workload } from '../workload.ts'
import { comparison } from './comparison.ts'

const lineUp = { before: built('before (abc1234)', ''), now: built('library', ''), again: built('library (again)', '') }

test('each measure has its medians, and what they were multiplied by', t => {
  const measured = new Map([
    [
      'steady',
      new Map([
        ['before (abc1234)', { cpu: 4, rate: 0 }],
        ['library', { cpu: 3, rate: 1_000 }],
        ['library (again)', { cpu: 3.3, rate: 1_010 }],
      ]),
    ],
  ])
  t.deepEqual(comparison([workload('steady'), workload('not run')], measured, lineUp).split('\n'), [
    '| workload | measure      | before (abc1234) | library | library (again) | before → now | now → again |',
    '| -------- | ------------ | ---------------: | ------: | --------------: | -----------: | ----------: |',
    '| steady   | CPU, µs      |             4.00 |    3.00 |            3.30 |         0.75 |        1.10 |',
    '| steady   | deliveries/s |             0.00 |   1,000 |           1,010 |            – |        1.01 |',
  ])
})

function workload(name: string): Workload {
  return {
    name,
    about: '',
    metrics: [
      { key: 'cpu', title: 'CPU', unit: 'µs' },
      { key: 'rate', title: 'deliveries', unit: '/s' },
    ],
    contenders: [],
    run: () => Promise.resolve({}),
  }
}
