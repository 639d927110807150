/** Run before the tests: makes sure that the programs they need are there, or says what to install and fails. */
import { spawnSync } from 'node:child_process'
import {
  APACHE,
  CADDY,
  CHROMIUM,
  find,
  FIREFOX,
  HAPROXY,
  missing,
  NGINX,
  REDIS_SERVER,
  WEBKIT_DRIVER,
  XVFB,
  type Program,
} from './programs.ts'

const NEEDED = [REDIS_SERVER, NGINX, HAPROXY, APACHE, CADDY, CHROMIUM, FIREFOX, WEBKIT_DRIVER, XVFB]

try {
  if (process.getuid?.() === 0 && aptGet('--version')) install(lacking())
  const stillLacking = lacking()
  if (stillLacking.length > 0) throw new Error(stillLacking.map(missing).join('\n'))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

function lacking(): Program[] {
  return NEEDED.filter(program => find(program) === undefined)
}

function install(programs: Program[]): void {
  if (programs.length === 0) return
  const names = programs.map(program => program.name)
  console.log(`Installing ${names.join(' and ')} for the tests`)
  aptGet('update', '--quiet')
  aptGet('install', '--yes', '--quiet', '--no-install-recommends', ...names)
}

function aptGet(...args: string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status, stdout, stderr } = spawnSync('apt-get', args, { encoding: 'utf8', env })
  if (status !== 0 && status !== null) console.error(`apt-get ${args.join(' ')} failed:\n${stdout}${stderr}`)
  return status === 0
}
