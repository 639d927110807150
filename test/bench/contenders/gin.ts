import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../../demo/cluster/free-port.ts'
import { find, locate, type Program } from '../../support/programs.ts'
import { ROOT } from '../../support/root.ts'
import type { Contender, RunningServer, ServerOptions } from './contender.ts'
import { startNative } from './native.ts'

const GO: Program = { name: 'golang-go', variable: 'GO_PATH', commands: ['go'], places: ['/usr/lib/go/bin/go'] }
/** Where Debian puts the sources of Go's packages. */
const SOURCES = '/usr/share/gocode'
const PROGRAM = join(ROOT, 'test/bench/contenders/gin.go')

/** A Gin server of Debian's packages, on one core as the others, published to as Nchan is. */
export const gin: Contender = {
  name: 'gin',
  title: 'Gin (Go)',
  missing: () => {
    if (find(GO) !== undefined && existsSync(join(SOURCES, 'src/github.com/gin-gonic/gin'))) return undefined
    return 'apt-get install golang-go golang-github-gin-gonic-gin-dev'
  },
  start: startGin,
}

async function startGin(build: string, { core, heartbeat = 0 }: ServerOptions): Promise<RunningServer> {
  const program = join(build, 'gin')
  if (!existsSync(program)) await compile(program)
  const port = await freePort()
  const command = [program, String(port), String(heartbeat)]
  const server = await startNative(build, { command, port, core, env: { GOMAXPROCS: '1' } })
  return {
    ...server,
    collect: async () => {
      await fetch(`http://127.0.0.1:${port}/collect`, { method: 'POST' })
    },
  }
}

async function compile(program: string): Promise<void> {
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: SOURCES }
  await promisify(execFile)(locate(GO), ['build', '-o', program, PROGRAM], { env })
}
