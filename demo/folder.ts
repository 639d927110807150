import { fileURLToPath } from 'node:url'

/** This folder, beside the packages. A module's own place does not lead to it, since the tests run the demo compiled. */
export const DEMO = fileURLToPath(import.meta.resolve('koa').replace(/node_modules\/(?!.*node_modules).*/, 'demo'))
