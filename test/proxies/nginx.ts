import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../demo/cluster/free-port.ts'
import { locate, NGINX } from '../support/programs.ts'
import { shipped } from './configuration.ts'
import { startInForeground, temporaryFolder } from './foreground.ts'
import { IDLE_SHIPPED, type Proxy } from './proxy.ts'

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

export const nginx: Proxy = {
  name: 'nginx',
  isBalancer: true,
  keepsStreams: true,
  passesCuts: true,
  tellsLeavingAtOnce: true,
  async start(scope, { ports, idle = IDLE_SHIPPED }) {
    const folder = await temporaryFolder(scope, 'nginx')
    const port = await freePort()
    const site = await shipped('nginx.conf', {
      'listen 80;': `listen 127.0.0.1:${port};`,
      '127.0.0.1:3000': `127.0.0.1:${ports[0]}`,
      '127.0.0.1:3001': `127.0.0.1:${ports[1]}`,
      'proxy_read_timeout 60s': `proxy_read_timeout ${idle}s`,
    })
    await writeFile(join(folder, 'site.conf'), site)
    const config = join(folder, 'nginx.conf')
    await writeFile(
      config,
      `worker_processes 1;
      pid ${folder}/nginx.pid;
      error_log stderr notice;
      events {}
      http {
        access_log off;
        ${TEMPORARY.map(name => `${name}_temp_path ${folder}/${name};`).join('\n')}
        # As Debian has it.
        gzip on;
        include ${folder}/site.conf;
      }`,
    )
    const args = ['-p', folder, '-e', 'stderr', '-c', config, '-g', 'daemon off;']
    const program = startInForeground(scope, locate(NGINX), args)
    await program.said(/start worker process \d+/)
    let reloads = 0
    return {
      url: `http://127.0.0.1:${port}`,
      async reload() {
        reloads += 1
        program.signal('SIGHUP')
        await program.said(/gracefully shutting down/, reloads)
      },
    }
  },
}
