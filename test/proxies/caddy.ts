import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../demo/cluster/free-port.ts'
import { CADDY, locate } from '../support/programs.ts'
import { shipped } from './configuration.ts'
import { startInForeground, temporaryFolder } from './foreground.ts'
import { IDLE_SHIPPED, type Proxy } from './proxy.ts'

export const caddy: Proxy = {
  name: 'Caddy',
  isBalancer: true,
  keepsStreams: true,
  passesCuts: false,
  tellsLeavingAtOnce: true,
  async start(scope, { ports, idle = IDLE_SHIPPED }) {
    const folder = await temporaryFolder(scope, 'caddy')
    const [port, admin] = [await freePort(), await freePort()]
    const site = await shipped('Caddyfile', {
      ':80 {': `http://127.0.0.1:${port} {`,
      '127.0.0.1:3000': `127.0.0.1:${ports[0]}`,
      '127.0.0.1:3001': `127.0.0.1:${ports[1]}`,
      'read_timeout 60s': `read_timeout ${idle}s`,
    })
    const config = join(folder, 'Caddyfile')
    await writeFile(config, `{\n\tadmin 127.0.0.1:${admin}\n}\n\n${site}`)
    const env = { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }
    const command = locate(CADDY)
    const program = startInForeground(scope, command, ['run', '--config', config, '--adapter', 'caddyfile'], env)
    await program.said(/serving initial configuration/)
    return {
      url: `http://127.0.0.1:${port}`,
      async reload() {
        // One that is the same is passed over, unless forced.
        const args = [
          'reload',
          '--force',
          '--config',
          config,
          '--adapter',
          'caddyfile',
          '--address',
          `127.0.0.1:${admin}`,
        ]
        await promisify(execFile)(command, args, { env: { ...process.env, ...env } })
      },
    }
  },
}
