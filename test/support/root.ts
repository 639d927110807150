import { dirname } from 'node:path'
import { DEMO } from '../../demo/folder.ts'

/** The project's folder. A module's own place does not lead to it, since the tests run compiled. */
export const ROOT = dirname(DEMO)
