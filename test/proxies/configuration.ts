import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../support/root.ts'

export const OPERATION = join(ROOT, 'docs/operation')

/**
 * A configuration that we ship, with other addresses and durations in it, and nothing else changed.
 *
 * @throws {Error} for words that are not in it: what would be tried is not what is shipped
 */
export async function shipped(file: string, replaced: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(join(OPERATION, file), 'utf8')
  for (const [words, others] of Object.entries(replaced)) {
    if (!text.includes(words)) throw new Error(`${file} does not say "${words}"`)
    text = text.replaceAll(words, others)
  }
  return text
}
