import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { JsxEmit, ModuleKind, ScriptTarget, transpileModule } from 'typescript'
import { REFUSAL_REASONS } from '../../lib/hub/lifecycle.ts'
import { CLOSE_REASONS } from '../../lib/stream/close-reason.ts'
import { RESERVED_EVENTS } from '../../lib/wire/event.ts'
import { ROOT } from '../support/root.ts'
import { readExamples, readPages } from './example.ts'
import { LIMITS } from './limits.ts'

const BLOCK = /^```(tsx?|jsx?)\n([\s\S]*?)^```$/gm
const NAMED = /^\/\/ \S+\.(?:tsx?|[cm]?js)\n/
// A row of a table whose first two cells are a bound and its default.
const BOUND = /^\| (\S.*?) +\| ([\d,]+|none) +\|/gm

/** Where the code has the names of options. */
const OPTION_LISTS = [
  ['auth/session/session-cookie.ts', 'OPTIONS'],
  ['auth/jwt/options.ts', 'OPTIONS'],
  ['auth/jwt/issuers.ts', 'ISSUERS_OPTIONS'],
  ['auth/keys/options.ts', 'KEY_OPTIONS'],
  ['auth/state-user.ts', 'OPTIONS'],
  ['koa/ticket-options.ts', 'KEYS'],
  ['koa/require-identity.ts', 'KEYS'],
  ['koa/publish-route.ts', 'KEYS'],
  ['koa/subscription-route.ts', 'KEYS'],
  ['ops/options.ts', 'KEYS'],
  ['broker/redis/publisher.ts', 'OPTIONS'],
  ['bridge/bridge.ts', 'OPTIONS'],
] as const

const pages = await readPages()
const compilerOptions = { module: ModuleKind.ESNext, target: ScriptTarget.ES2023, jsx: JsxEmit.Preserve }
const page = (name: string): string => pages[`docs/${name}`] ?? ''
const source = (path: string): Promise<string> => readFile(join(ROOT, 'lib', path), 'utf8')

test('each block of TypeScript names its file, and so is compiled; each of JavaScript can be read', t => {
  for (const [path, text] of Object.entries(pages)) {
    for (const [, language = '', code = ''] of text.matchAll(BLOCK)) {
      const [line = ''] = code.split('\n')
      if (language.startsWith('ts')) t.regex(code, NAMED, `${path}: ${line}`)
      const fileName = language === 'tsx' ? 'page.tsx' : 'page.ts'
      const { diagnostics = [] } = transpileModule(code, { compilerOptions, fileName, reportDiagnostics: true })
      t.deepEqual(
        diagnostics.map(({ messageText }) => messageText),
        [],
        `${path}: ${line}`,
      )
    }
  }
})

test('each program that serves is run by a test', async t => {
  const folder = join(ROOT, 'test/readme')
  const files = (await readdir(folder)).filter(name => name.endsWith('.ts'))
  const tests = (await Promise.all(files.map(name => readFile(join(folder, name), 'utf8')))).join('\n')
  const programs = Object.entries(await readExamples()).filter(([, code]) => code.includes('.listen('))
  t.true(programs.length > 20)
  t.deepEqual(
    programs.map(([name]) => name).filter(name => !tests.includes(`'${name}'`)),
    [],
  )
})

test('the page on limits has the defaults of the code, and no others', async t => {
  const bounds = [...page('limits.md').matchAll(BOUND)].filter(([, , preset]) => preset !== 'none')
  t.deepEqual(bounds.map(([, name]) => name).toSorted(), Object.keys(LIMITS).toSorted())
  for (const [, name = '', preset = ''] of bounds) {
    const { file, constant } = LIMITS[name as keyof typeof LIMITS]
    const [, value = ''] = new RegExp(`const ${constant} = ([\\d_* ]+)`).exec(await source(file)) ?? []
    const factors = value.split('*').map(factor => Number(factor.replaceAll('_', '')))
    t.is(
      Number(preset.replaceAll(',', '')),
      factors.reduce((product, factor) => product * factor),
      name,
    )
  }
})

test('the page on the hub has each of its members', async t => {
  const [, body = ''] = /interface Hub<[^{]*{\n([\s\S]*?)^}/m.exec(await source('hub/hub.ts')) ?? []
  const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)[(:]/gm)].map(([, name = '']) => name)
  t.true(members.length > 10)
  for (const name of members) t.regex(page('hub.md'), new RegExp(`^\\| \`${name}\\b`, 'm'))
})

test('the page on options has each of eventStream()', async t => {
  const text = await source('koa/route-config.ts')
  const groups = new Set(['buffer', 'limits'])
  const options = [
    ...namesIn(text, 'KEYS').filter(name => !groups.has(name)),
    ...namesIn(text, 'LIMITS').map(name => `limits.${name}`),
  ]
  t.true(options.length > 15)
  for (const name of options) t.true(page('options.md').includes(`\n| \`${name}\` `), name)
})

test('the page on options has each of the authenticators, the brokers and the other routes', async t => {
  for (const [file, list] of OPTION_LISTS) {
    const names = namesIn(await source(file), list)
    t.true(names.length > 0, file)
    for (const name of names) {
      if (name === 'clock' || name === 'limits') continue
      t.regex(page('options.md'), new RegExp(`[\`\\s{]${name}[\`,\\s]`), `${name} of ${file}`)
    }
  }
})

test('the page on the protocol has each reserved name and each reason', t => {
  const text = page('protocol.md')
  for (const name of [...RESERVED_EVENTS, ...CLOSE_REASONS, ...REFUSAL_REASONS]) {
    t.true(text.includes(`\`${name}\``), name)
  }
})

/** The names in a list that the code has as a constant. */
function namesIn(text: string, constant: string): string[] {
  const [, list = ''] = new RegExp(`const ${constant} = \\[([^\\]]*)\\]`).exec(text) ?? []
  return [...list.matchAll(/'(\w+)'/g)].map(([, name = '']) => name)
}
