import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { copyBuild } from '../build.ts'
import type { Patch, Saving } from './saving.ts'

/**
 * Copies a build and switches a saving off in its library. Answers the path of the new folder.
 *
 * @throws {RangeError} for a patch that does not fit the library as it is now
 */
export async function buildWithout({ name, patches }: Saving, build: string): Promise<string> {
  const folder = await copyBuild(build)
  for (const { file, from, to } of patches) {
    const path = join(folder, 'lib', file)
    const text = await readFile(path, 'utf8')
    await writeFile(path, patched(text, { file, from, to }, name))
  }
  return folder
}

function patched(text: string, { file, from, to }: Patch, saving: string): string {
  const [before, after, ...more] = text.split(from)
  if (before === undefined || after === undefined || more.length > 0) {
    throw new RangeError(`${saving}: \`${from}\` is to be in ${file} once`)
  }
  return before + to + after
}
