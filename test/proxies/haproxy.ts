import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../demo/cluster/free-port.ts'
import { HAPROXY, locate } from '../support/programs.ts'
import { shipped } from './configuration.ts'
import { startInForeground, temporaryFolder } from './foreground.ts'
import { IDLE_SHIPPED, type Proxy } from './proxy.ts'

export const haproxy: Proxy = {
  name: 'HAProxy',
  isBalancer: true,
  keepsStreams: true,
  passesCuts: true,
  tellsLeavingAtOnce: false,
  async start(scope, { ports, idle = IDLE_SHIPPED }) {
    const folder = await temporaryFolder(scope, 'haproxy')
    const port = await freePort()
    const config = join(folder, 'haproxy.cfg')
    const text = await shipped('haproxy.cfg', {
      'bind :80\n': `bind 127.0.0.1:${port}\n`,
      '127.0.0.1:3000': `127.0.0.1:${ports[0]}`,
      '127.0.0.1:3001': `127.0.0.1:${ports[1]}`,
      'timeout client 60s': `timeout client ${idle}s`,
      'timeout server 60s': `timeout server ${idle}s`,
    })
    await writeFile(config, text)
    const program = startInForeground(scope, locate(HAPROXY), ['-W', '-db', '-f', config])
    let loads = 1
    await program.said(/Loading success/)
    return {
      url: `http://127.0.0.1:${port}`,
      async reload() {
        loads += 1
        program.signal('SIGUSR2')
        await program.said(/Loading success/, loads)
      },
    }
  },
}
