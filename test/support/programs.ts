import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A program that the tests need beside Node. */
export interface Program {
  /** The package that brings it on Debian, and what to tell a person to install. */
  readonly name: string
  /** The environment variable that says where it is; used before anything else. */
  readonly variable: string
  /** What it may be called on the `PATH`. */
  readonly commands: readonly string[]
  /** Where it may be outside the `PATH`. */
  readonly places: readonly string[]
}

export const REDIS_SERVER: Program = {
  name: 'redis-server',
  variable: 'REDIS_SERVER_PATH',
  commands: ['redis-server'],
  places: ['/usr/sbin/redis-server', '/usr/local/bin/redis-server', '/opt/homebrew/bin/redis-server'],
}

export const NGINX: Program = {
  name: 'nginx',
  variable: 'NGINX_PATH',
  commands: ['nginx'],
  places: ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/opt/homebrew/bin/nginx'],
}

export const PROMETHEUS: Program = {
  name: 'prometheus',
  variable: 'PROMETHEUS_PATH',
  commands: ['prometheus'],
  places: [],
}

/** Comes with Prometheus, whose service need not run. */
export const PROMTOOL: Program = {
  name: 'prometheus',
  variable: 'PROMTOOL_PATH',
  commands: ['promtool'],
  places: [],
}

export const HAPROXY: Program = {
  name: 'haproxy',
  variable: 'HAPROXY_PATH',
  commands: ['haproxy'],
  places: ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy', '/opt/homebrew/bin/haproxy'],
}

/** With its modules beside it, and without the service. */
export const APACHE: Program = {
  name: 'apache2-bin',
  variable: 'APACHE_PATH',
  commands: ['apache2', 'httpd'],
  places: ['/usr/sbin/apache2', '/usr/sbin/httpd', '/opt/homebrew/bin/httpd'],
}

export const CADDY: Program = {
  name: 'caddy',
  variable: 'CADDY_PATH',
  commands: ['caddy'],
  places: ['/opt/homebrew/bin/caddy'],
}

/**
 * Without the window if it is there: the same engine, for an eighth of the CPU a page, since the parts of today's windows
 * are pages themselves.
 */
export const CHROMIUM: Program = {
  name: 'chromium-headless-shell',
  variable: 'CHROMIUM_PATH',
  commands: ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
  places: [
    '/snap/bin/chromium',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ],
}

export const FIREFOX: Program = {
  name: 'firefox-esr',
  variable: 'FIREFOX_PATH',
  commands: ['firefox-esr', 'firefox'],
  places: ['/snap/bin/firefox', '/Applications/Firefox.app/Contents/MacOS/firefox'],
}

/** Drives WebKitGTK, whose MiniBrowser it starts. */
export const WEBKIT_DRIVER: Program = {
  name: 'webkit2gtk-driver',
  variable: 'WEBKIT_DRIVER_PATH',
  commands: ['WebKitWebDriver'],
  places: [],
}

/** A screen for WebKitGTK, which opens its windows somewhere. */
export const XVFB: Program = {
  name: 'xvfb',
  variable: 'XVFB_PATH',
  commands: ['Xvfb'],
  places: ['/opt/X11/bin/Xvfb'],
}

/** The path of the program's executable, or `undefined` where it is not installed. A variable that points nowhere is an error. */
export function find(program: Program): string | undefined {
  const told = process.env[program.variable]
  if (told) {
    if (!isExecutable(told)) throw new Error(`${program.variable} is ${told}, which cannot be run`)
    return told
  }
  const folders = (process.env.PATH ?? '').split(delimiter)
  const onPath = program.commands.flatMap(command => folders.map(folder => join(folder, command)))
  return [...onPath, ...program.places].find(isExecutable)
}

/** The same for a test that cannot do without: throws where the program is not installed. */
export function locate(program: Program): string {
  const path = find(program)
  if (path === undefined) throw new Error(missing(program))
  return path
}

export function missing(program: Program): string {
  return `Install ${program.name} (or set ${program.variable} to its executable): the tests need it.`
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
