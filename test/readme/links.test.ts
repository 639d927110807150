import { access, readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import test from 'ava'
import { ROOT } from '../support/root.ts'

const LINK = /\]\(([^()\s]+)\)/g
const HEADING = /^#+ (.+)$/gm
const CODE = /^```[\s\S]*?^```$/gm

const pages = [
  join(ROOT, 'README.md'),
  join(ROOT, 'SECURITY.md'),
  ...(await readdir(join(ROOT, 'docs'))).filter(name => name.endsWith('.md')).map(name => join(ROOT, 'docs', name)),
]

for (const page of pages) {
  test(`${relative(ROOT, page)} links to what is there`, async t => {
    const links = [...(await proseOf(page)).matchAll(LINK)].map(([, link = '']) => link)
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
  })
}

async function proseOf(page: string): Promise<string> {
  return (await readFile(page, 'utf8')).replace(CODE, '')
}

/** As GitHub names them. */
function anchorsIn(text: string): string[] {
  return [...text.matchAll(HEADING)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replace(/ /g, '-'),
  )
}
