import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where a program is: where a variable such as `NGINX_PATH` says, on the `PATH`, or where administrators' programs are. */
export function find(name: string): string | undefined {
  const told = process.env[`${name.toUpperCase().replace('-', '_')}_PATH`]
  if (told) return told
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin']
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

export function locate(name: string): string {
  const path = find(name)
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
