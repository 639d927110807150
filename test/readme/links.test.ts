import { access, readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import test from 'ava'
import { ROOT } from '../support/root.ts'

const LINK = /\]\(([^()\s]+)\)/g
const REFERENCE = /\]\[([\w-]+)\]/g
const DEFINITION = /^\[([\w-]+)\]: (\S+)$/gm
const HEADING = /^#+ (.+)$/gm
const CODE = /^```[\s\S]*?^```$/gm

const DOCS = join(ROOT, 'docs')
const docs = (await readdir(DOCS)).filter(name => name.endsWith('.md'))
const others = ['README.md', 'SECURITY.md', 'CHANGELOG.md', 'lib/README.md', 'demo/README.md', 'docs/llms.txt']
const pages = [...others.map(name => join(ROOT, name)), ...docs.map(name => join(DOCS, name))]

for (const page of pages) {
  test(`${relative(ROOT, page)} links to what is there`, async t => {
    const prose = await proseOf(page)
    const definitions = new Map([...prose.matchAll(DEFINITION)].map(([, name, link = '']) => [name, link]))
    for (const [, name] of prose.matchAll(REFERENCE)) t.true(definitions.has(name), name)
    const links = [...[...prose.matchAll(LINK)].map(([, link = '']) => link), ...definitions.values()]
    for (const link of links) {
      if (/^https?:/.test(link)) {
        t.true(URL.canParse(link), link)
        continue
      }
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : join(dirname(page), path)
      await t.notThrowsAsync(access(target), link)
      if (anchor !== undefined) t.true(anchorsIn(await proseOf(target)).includes(anchor), link)
    }
    t.pass()
  })
}

for (const name of ['README.md', 'llms.txt']) {
  test(`docs/${name} has each page`, async t => {
    const index = await proseOf(join(DOCS, name))
    const missing = docs.filter(page => page !== 'README.md' && !index.includes(`\n- [${page}](${page}): `))
    t.deepEqual(missing, [])
  })
}

async function proseOf(page: string): Promise<string> {
  return (await readFile(page, 'utf8')).replace(CODE, '')
}

/** As GitHub names them: a heading that is there already gets a number. */
function anchorsIn(text: string): string[] {
  const seen = new Map<string, number>()
  return [...text.matchAll(HEADING)].map(([, heading = '']) => {
    const anchor = heading
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/ /g, '-')
    const count = seen.get(anchor) ?? 0
    seen.set(anchor, count + 1)
    return count === 0 ? anchor : `${anchor}-${count}`
  })
}
