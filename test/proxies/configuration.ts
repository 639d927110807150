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
  const text = await readFile(join(OPERATION, file), 'utf8')
  const all = Object.keys(replaced)
  for (const words of all) if (!text.includes(words)) throw new Error(`${file} does not say "${words}"`)
  // In one pass: a port that is filled in may look like one that is to be replaced, as 30001 begins with 3000.
  return text.replaceAll(new RegExp(all.map(escaped).join('|'), 'g'), words => replaced[words] ?? words)
}

function escaped(words: string): string {
  return words.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)
}
