import type { Contender } from './contender.ts'
import { inNode } from './node-process.ts'

/**
 * This library as another build has it, with the same application around it as the contender `memory`.
 *
 * @param build the folder it is started from, whatever the others are started from
 */
export function built(name: string, build: string): Contender {
  const { missing, start } = inNode('memory', name)
  return { name, title: name, missing, start: (_, options) => start(build, options) }
}
