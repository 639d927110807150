import type { Application, ApplicationOptions } from '../server/application.ts'
import { library } from './library.ts'

/** This library with its engine in memory. */
export function create(options: ApplicationOptions): Application {
  return library(options)
}
