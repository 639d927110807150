import { execFileSync } from 'node:child_process'
import test from 'ava'

/** Set by `npm run test:nodes`. */
const wanted = process.env.WANTED_NODE

test('the tests run on the Node that was asked for, and so does whatever they start by its name', t => {
  t.log(`Node ${process.version}`)
  if (wanted === undefined) return t.pass('Any will do')
  t.true(`${process.version}.`.startsWith(`v${wanted}.`), `${process.version} is not ${wanted}`)
  t.is(execFileSync('node', ['--version'], { encoding: 'utf8' }).trim(), process.version)
})
