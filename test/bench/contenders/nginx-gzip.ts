import { find, NGINX } from '../../support/programs.ts'
import type { Contender, RunningServer, ServerOptions } from './contender.ts'
import { startNginx } from './nginx.ts'
import { inNode } from './node-process.ts'

const application = inNode('memory', 'this library')

/** This library behind nginx, which compresses each connection by itself. Both are on one core, and both are counted. */
export const nginxGzip: Contender = {
  name: 'nginx-gzip',
  title: 'this library behind nginx, gzip',
  missing: () => (find(NGINX) === undefined ? 'apt-get install nginx' : undefined),
  start: startBehindNginx,
}

async function startBehindNginx(build: string, options: ServerOptions): Promise<RunningServer> {
  const server = await application.start(build, options)
  const front = await startNginx(build, { core: options.core, http: port => proxyTo(server.port, port) })
  return {
    ...server,
    port: front.port,
    pids: [...server.pids, ...front.pids],
    stop: async () => {
      await front.stop()
      await server.stop()
    },
  }
}

function proxyTo(upstream: number, port: number): string {
  return `
      gzip on;
      gzip_comp_level 6;
      gzip_proxied any;
      gzip_min_length 0;
      gzip_types text/event-stream;
      server {
        listen 127.0.0.1:${port} backlog=4096;
        location = /ready {
          return 204;
        }
        location / {
          proxy_pass http://127.0.0.1:${upstream};
          proxy_http_version 1.1;
          proxy_set_header Connection '';
          proxy_buffering off;
          proxy_read_timeout 1h;
        }
      }
  `
}
