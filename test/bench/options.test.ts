import test from 'ava'
import { readOptions } from './options.ts'

test('all workloads run three rounds unless told otherwise', t => {
  const { taking, rounds, size, against } = readOptions([])
  t.true(taking.some(({ name }) => name === 'processes'))
  t.deepEqual({ rounds, size, against }, { rounds: 3, size: 'full', against: undefined })
})

test('a comparison takes what one process of the library can do', t => {
  const names = (...args: string[]) => readOptions(args).taking.map(({ name }) => name)
  t.deepEqual(names('--against', 'HEAD'), ['steady', 'burst', 'topics', 'idle', 'opening', 'reconnect', 'slow'])
  t.deepEqual(names('idle-many', '--against', 'HEAD'), ['idle-many'])
  t.throws(() => names('processes', '--against', 'HEAD'), { message: /^no workload is called processes: / })
})

test('neither a part of the contenders nor a comparison is saved', t => {
  for (const option of [['--quick'], ['--only', 'memory'], ['--against', 'HEAD']]) {
    t.throws(() => readOptions(['--save', ...option]), { instanceOf: TypeError })
  }
})
