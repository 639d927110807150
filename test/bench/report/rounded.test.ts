import test from 'ava'
import { rounded } from './rounded.ts'

test('numbers have three digits, and two decimal places at most', t => {
  const numbers = [0, 0.004, 0.126, 5.678, 9.999, 12.34, 123.4, 1_234, 312_345, -1.5]
  t.deepEqual(numbers.map(rounded), [
    '0.00',
    '0.00',
    '0.13',
    '5.68',
    '10.0',
    '12.3',
    '123',
    '1,230',
    '312,000',
    '-1.50',
  ])
})

test('what was not measured is a dash', t => {
  t.is(rounded(NaN), '–')
})
