import test from 'ava'
import { readOptions } from './options.ts'

test('all workloads run three rounds unless told otherwise', t => {
  const { taking, rounds, size, against, savings } = readOptions([])
  t.true(taking.some(({ name }) => name === 'processes'))
  t.deepEqual({ rounds, size, against, savings }, { rounds: 3, size: 'full', against: undefined, savings: false })
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

test('the savings of memory are measured by themselves', t => {
  t.true(readOptions(['memory-savings', '--rounds', '5', '--quick']).savings)
  for (const other of [['steady'], ['--only', 'memory'], ['--against', 'HEAD'], ['--save'], ['--redraw']]) {
    t.throws(() => readOptions(['memory-savings', ...other]), { instanceOf: TypeError })
  }
})
