import { existsSync } from 'node:fs'
import { find, NGINX } from '../../support/programs.ts'
import type { Contender } from './contender.ts'
import { startNginx } from './nginx.ts'

const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'

/** Nchan 1.3, a module of nginx: one worker, messages in memory, published to over HTTP by a process beside the clients. */
export const nchan: Contender = {
  name: 'nchan',
  title: 'Nchan (nginx)',
  missing: () => {
    if (find(NGINX) !== undefined && existsSync(MODULE)) return undefined
    return 'apt-get install nginx libnginx-mod-nchan'
  },
  start: (build, { core, heartbeat = 0 }) =>
    startNginx(build, { core, main: `load_module ${MODULE};`, http: port => channels(port, heartbeat / 1_000) }),
}

function channels(port: number, ping: number): string {
  return `
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
  `
}
