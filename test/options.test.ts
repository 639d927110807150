import test from 'ava'
import { duration, flag, fn, integer, knownKeys, oneOf, text, texts } from '../lib/options.ts'

const untyped = (value: unknown) => value as never

test('a default stands in for undefined only', t => {
  t.is(integer('n', undefined, { default: 3 }), 3)
  t.is(integer('n', 0, { default: 3 }), 0)
  t.false(flag('f', false, true))
  t.is(oneOf('o', undefined, ['a', 'b'], 'b'), 'b')
  t.throws(() => text('t', '', 'preset'), { instanceOf: TypeError, message: /^`t` must be .* not an empty string$/ })
})

test('without a default the option is required, and the error names it', t => {
  const required: [string, () => unknown][] = [
    ['a', () => integer('a', undefined)],
    ['b', () => duration('b', undefined)],
    ['c', () => oneOf('c', undefined, ['x'])],
    ['d', () => flag('d', undefined)],
    ['e', () => fn('e', undefined)],
    ['f', () => text('f', undefined)],
    ['g', () => texts('g', undefined)],
  ]
  for (const [name, check] of required) {
    t.throws(check, { instanceOf: TypeError, message: new RegExp(`^\`${name}\` must be .*, not undefined$`) })
  }
})

test('numbers keep within their bounds', t => {
  for (const wrong of [NaN, Infinity, 1.5, -1, 11, '5', null]) {
    t.throws(() => integer('n', untyped(wrong), { max: 10 }), { instanceOf: TypeError, message: /`n`/ }, String(wrong))
  }
  t.throws(() => duration('d', 2 ** 31), { message: /`d` must be whole milliseconds from 1 to 2147483647/ })
  t.throws(() => duration('d', 0), { instanceOf: TypeError })
  t.is(duration('d', 0, { min: 0 }), 0)
})

test('a misspelt option is refused with the list of those there are', t => {
  t.throws(
    () => {
      knownKeys('thing', { audeince: 1 }, ['audience', 'issuer'])
    },
    {
      instanceOf: TypeError,
      message: '`thing` has no option `audeince`; it takes `audience`, `issuer`',
    },
  )
  t.notThrows(() => {
    knownKeys('thing', { audience: undefined }, ['audience'])
  })
  for (const wrong of [undefined, null, [], 'x']) {
    t.throws(
      () => {
        knownKeys('thing', wrong, [])
      },
      { instanceOf: TypeError },
    )
  }
})

test('a list of strings may be one string, and comes back frozen', t => {
  t.deepEqual(texts('l', 'a'), ['a'])
  const list = texts('l', ['a', 'b'])
  t.deepEqual(list, ['a', 'b'])
  t.true(Object.isFrozen(list))
  for (const wrong of [[], [''], [1], /a/, ['a', undefined]]) {
    t.throws(() => texts('l', untyped(wrong)), { instanceOf: TypeError, message: /`l`/ })
  }
})

test('a string that was given never shows in the error', t => {
  for (const check of [integer, duration, flag, fn] as ((name: string, value: never) => unknown)[]) {
    const error = t.throws(() => check('key', untyped('s3cret')), { instanceOf: TypeError })
    t.notRegex(error.message, /s3cret/)
  }
  const error = t.throws(() => oneOf('o', untyped('s3cret'), ['a']), { instanceOf: TypeError })
  t.notRegex(error.message, /s3cret/)
})
