import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { freePort } from '../support/free-port.ts'
import { APACHE, locate } from '../support/programs.ts'
import { shipped } from './configuration.ts'
import { startInForeground, temporaryFolder } from './foreground.ts'
import { IDLE_SHIPPED, type Proxy } from './proxy.ts'
import { apacheModules } from './apache-modules.ts'

// Those that the configuration says to enable, and what any Apache has. `deflate` is on in Debian's.
const MODULES = [
  'mpm_event',
  'authz_core',
  'filter',
  'deflate',
  'setenvif',
  'headers',
  'slotmem_shm',
  'proxy',
  'proxy_http',
  'proxy_balancer',
  'lbmethod_bybusyness',
]

const STARTED = /resuming normal operations/

export const apache: Proxy = {
  name: 'Apache',
  isBalancer: true,
  async start(scope, { ports, idle = IDLE_SHIPPED }) {
    const folder = await temporaryFolder(scope, 'apache')
    const port = await freePort()
    const site = await shipped('apache.conf', {
      '*:80>': `127.0.0.1:${port}>`,
      '127.0.0.1:3000': `127.0.0.1:${ports[0]}`,
      '127.0.0.1:3001': `127.0.0.1:${ports[1]}`,
      'ProxyTimeout 60': `ProxyTimeout ${idle}`,
    })
    const command = locate(APACHE)
    const modules = apacheModules(dirname(command))
    const config = join(folder, 'apache.conf')
    await writeFile(
      config,
      `ServerRoot "${folder}"
      ServerName localhost
      DefaultRuntimeDir "${folder}"
      PidFile "${folder}/apache.pid"
      ErrorLog /dev/stderr
      Listen 127.0.0.1:${port}
      User #65534
      Group #65534
      ${MODULES.map(name => `LoadModule ${name}_module ${modules}/mod_${name}.so`).join('\n')}
      AddOutputFilterByType DEFLATE text/event-stream
      ${site}`,
    )
    const program = startInForeground(scope, command, ['-f', config, '-DFOREGROUND'])
    let starts = 1
    await program.said(STARTED)
    return {
      url: `http://127.0.0.1:${port}`,
      async reload() {
        starts += 1
        program.signal('SIGUSR1')
        await program.said(STARTED, starts)
      },
    }
  },
}
