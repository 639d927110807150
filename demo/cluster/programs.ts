import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where a program is, on the `PATH` or where systems keep what only administrators are to run. */
export function locate(name: string): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin']
  const path = folders.map(folder => join(folder, name)).find(isExecutable)
  if (path === undefined) throw new Error(`${name} is not installed: apt-get install ${name}, or brew install ${name}`)
  return path
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
