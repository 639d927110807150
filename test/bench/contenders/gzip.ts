import type { Application, ApplicationOptions } from '../server/application.ts'
import { library } from './library.ts'

/** This library that compresses for all streams at once. */
export function create(options: ApplicationOptions): Application {
  return library(options, { compress: 'gzip' })
}
