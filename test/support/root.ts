import { fileURLToPath } from 'node:url'

/** The project's folder: the one with the packages. A module's own place does not lead to it, since the tests run compiled. */
export const ROOT = fileURLToPath(import.meta.resolve('koa').replace(/node_modules\/(?!.*node_modules).*/, ''))
