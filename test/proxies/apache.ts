import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { freePort } from '../../demo/cluster/free-port.ts'
import { APACHE, locate } from '../support/programs.ts'
import { shipped } from './configuration.ts'
import { startInForeground, temporaryFolder } from './foreground.ts'
import { IDLE_SHIPPED, type Proxy } from './proxy.ts'
import { apacheModules } from './apache-modules.ts'

// What Debian's Apache has, and what comes with others by itself.
const MODULES = ['mpm_event', 'authz_core', 'filter', 'deflate', 'setenvif', 'slotmem_shm']

const STARTED = /resuming normal operations/

export const apache: Proxy = {
  name: 'Apache',
  isBalancer: true,
  keepsStreams: true,
  passesCuts: true,
  tellsLeavingAtOnce: false,
  async start(scope, { ports, idle = IDLE_SHIPPED }) {
    const folder = await temporaryFolder(scope, 'apache')
    const port = await freePort()
    const site = await shipped('apache.conf', {
      '*:80>': `127.0.0.1:${port}>`,
      '127.0.0.1:3000': `127.0.0.1:${ports[0]}`,
      '127.0.0.1:3001': `127.0.0.1:${ports[1]}`,
      'ProxyTimeout 60': `ProxyTimeout ${idle}`,
    })
    const [, enabled = ''] = /^#\s+a2enmod (.+)$/m.exec(site) ?? []
    const command = locate(APACHE)
    const modules = apacheModules(dirname(command))
    const config = join(folder, 'apache.conf')
    await writeFile(
      config,
      `ServerRoot "${folder}"
      ServerName localhost
      DefaultRuntimeDir "${folder}"
      PidFile "${folder}/apache.pid"
      ErrorLog "|/bin/cat"
      Listen 127.0.0.1:${port}
      User #65534
      Group #65534
      ${[...MODULES, ...enabled.split(' ')].map(name => `LoadModule ${name}_module ${modules}/mod_${name}.so`).join('\n')}
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
