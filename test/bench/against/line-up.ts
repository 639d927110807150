import { built } from '../contenders/built.ts'
import type { Contender } from '../contenders/contender.ts'
import { buildRevision } from './revision.ts'

/** The workloads that a comparison takes unless told otherwise. */
export const COMPARED: readonly string[] = ['steady', 'burst', 'topics', 'idle', 'opening', 'reconnect', 'slow']

/** The library earlier and now. Now, a second time: what that differs by is noise. */
export interface LineUp {
  readonly before: Contender
  readonly now: Contender
  readonly again: Contender
}

/**
 * Builds the library of an earlier revision to run beside the present one.
 *
 * @param build the folder of what is compiled now
 * @throws {TypeError} if there is no such revision
 */
export async function lineUp(revision: string, build: string, repository?: string): Promise<LineUp> {
  const { commit, folder } = await buildRevision(revision, build, repository)
  return {
    before: built(`before (${commit})`, folder),
    now: built('library', build),
    again: built('library (again)', build),
  }
}
