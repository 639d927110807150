import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../../demo/cluster/free-port.ts'
import { locate, NGINX } from '../../support/programs.ts'
import type { Core } from '../processes.ts'
import type { RunningServer } from './contender.ts'
import { startNative } from './native.ts'

export interface NginxSetup {
  readonly core: Core
  /** Before all else in the configuration, such as a module. */
  readonly main?: string
  /** The block `http`, with a server that listens on the port and answers `GET /ready` with 204. */
  readonly http: (port: number) => string
}

/** Starts nginx with one worker, and all it writes in a folder that goes with the build. */
export async function startNginx(build: string, { core, main = '', http }: NginxSetup): Promise<RunningServer> {
  const folder = await mkdtemp(join(build, 'nginx-'))
  const port = await freePort()
  await writeFile(join(folder, 'nginx.conf'), configuration(folder, main, http(port)))
  const command = [locate(NGINX), '-p', folder, '-c', 'nginx.conf', '-e', 'stderr']
  return startNative(build, { command, port, core })
}

function configuration(folder: string, main: string, http: string): string {
  return `
    ${main}
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
      ${http}
    }
  `
}
