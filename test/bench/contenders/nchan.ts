import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../../demo/cluster/free-port.ts'
import { find, locate, NGINX } from '../../support/programs.ts'
import type { Contender, RunningServer, ServerOptions } from './contender.ts'
import { startNative } from './native.ts'

const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'

/** Nchan 1.3, a module of nginx: one worker, messages in memory, published to over HTTP by a process beside the clients. */
export const nchan: Contender = {
  name: 'nchan',
  title: 'Nchan (nginx)',
  missing: () => {
    if (find(NGINX) !== undefined && existsSync(MODULE)) return undefined
    return 'apt-get install nginx libnginx-mod-nchan'
  },
  start: startNchan,
}

async function startNchan(build: string, { core, heartbeat = 0 }: ServerOptions): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'nchan-'))
  const port = await freePort()
  await writeFile(join(folder, 'nginx.conf'), configuration(folder, port, heartbeat / 1_000))
  const command = [locate(NGINX), '-p', folder, '-c', 'nginx.conf', '-e', 'stderr']
  const server = await startNative(build, { command, port, core })
  return {
    ...server,
    stop: async () => {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function configuration(folder: string, port: number, ping: number): string {
  return `
    load_module ${MODULE};
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
      keepalive_requests 1000000000;
      nchan_shared_memory_size 1024m;
      server {
        listen 127.0.0.1:${port} backlog=4096;
        location = /ready {
          return 204;
        }
        location ~ ^/publish/(.+)$ {
          nchan_publisher;
          nchan_channel_id $1;
          nchan_message_buffer_length 1000;
          nchan_message_timeout 5m;
        }
        location ~ ^/events/(.+)$ {
          nchan_subscriber eventsource;
          nchan_channel_id $1;
          nchan_channel_id_split_delimiter ",";
          nchan_subscriber_first_message newest;
          nchan_eventsource_ping_interval ${ping};
        }
      }
    }
  `
}
