import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Children } from '../../demo/cluster/children.ts'
import { freePort } from '../../demo/cluster/free-port.ts'
import { locate, NGINX } from './programs.ts'
import type { Scope } from './scope.ts'

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

/**
 * Starts a real nginx in front of a port of the loopback, and answers its address. All that it does to requests and
 * responses is its default, but for `directives` of its one location.
 */
export async function startNginx(scope: Scope, upstream: number, directives = ''): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nginx-'))
  const children = new Children()
  scope.teardown(async () => {
    await children.stop()
    await rm(folder, { recursive: true })
  })
  const port = await freePort()
  const config = join(folder, 'nginx.conf')
  await writeFile(
    config,
    `
    worker_processes 1;
    pid ${folder}/nginx.pid;
    error_log stderr notice;
    events {}
    http {
      access_log off;
      ${TEMPORARY.map(name => `${name}_temp_path ${folder}/${name};`).join('\n      ')}
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://127.0.0.1:${upstream};
          ${directives}
        }
      }
    }
    `,
  )
  const args = ['-p', folder, '-e', 'stderr', '-c', config, '-g', 'daemon off;']
  await children.start(locate(NGINX), args, { ready: /start worker process \d+/ })
  return `http://127.0.0.1:${port}`
}
