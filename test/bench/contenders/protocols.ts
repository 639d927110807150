import { createSecureServer } from 'node:http2'
import { createServer } from 'node:https'
import type { Server } from 'node:net'
import type Koa from 'koa'
import { generate } from 'selfsigned'
import type { Application, ApplicationOptions } from '../server/application.ts'
import { library } from './library.ts'

/** This library over HTTP/1.1 with TLS. */
export function https(options: ApplicationOptions): Promise<Application> {
  return withTls(options, (app, identity) => createServer(identity, app.callback()))
}

/** This library over HTTP/2 with TLS, which is what browsers speak. */
export function http2(options: ApplicationOptions): Promise<Application> {
  return withTls(options, (app, identity) => createSecureServer(identity, app.callback()))
}

type Serve = (app: Koa, identity: { readonly key: string; readonly cert: string }) => Server

async function withTls(options: ApplicationOptions, serve: Serve): Promise<Application> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' })
  return library(options, { serve: app => serve(app, { key, cert }) })
}
