import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../../demo/cluster/free-port.ts'
import { find, locate, NGINX } from '../../support/programs.ts'
import type { Contender, RunningServer, ServerOptions } from './contender.ts'
import { startNative } from './native.ts'
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
  const folder = await mkdtemp(join(tmpdir(), 'nginx-gzip-'))
  const port = await freePort()
  await writeFile(join(folder, 'nginx.conf'), configuration(folder, port, server.port))
  const command = [locate(NGINX), '-p', folder, '-c', 'nginx.conf', '-e', 'stderr']
  const front = await startNative(build, { command, port, core: options.core })
  return {
    ...server,
    port,
    pids: [...server.pids, ...front.pids],
    stop: async () => {
      await front.stop()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function configuration(folder: string, port: number, upstream: number): string {
  return `
    daemon off;
    user root;
    worker_processes 1;
    pid ${folder}/nginx.pid;
    error_log stderr error;
    events { worker_connections 40000; }
    http {
      access_log off;
      client_body_temp_path ${folder}/body;
      proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi;
      scgi_temp_path ${folder}/scgi;
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
    }
  `
}
