import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import type { Scope } from '../support/scope.ts'

/** What a proxy does to a request. */
export type Fault =
  /** Passes everything on. */
  | { readonly kind: 'pass' }
  /** Passes so many bytes on and then breaks the connection: in the middle of an event, most likely. */
  | { readonly kind: 'cut'; readonly after: number }
  /** Passes so many bytes on and then none, without a word. */
  | { readonly kind: 'silent'; readonly after: number }
  /** Passes so many bytes on and ends the response as if it were whole. */
  | { readonly kind: 'end'; readonly after: number }
  /** Passes everything on at once, when the response has ended. */
  | { readonly kind: 'hold' }
  /** Answers itself: a deploy, or the login page of a hotel. */
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'page' }

export const PASS: Fault = { kind: 'pass' }

/** Stands before a server on the loopback, and does to each request what `choose` says. */
export async function openFaultyProxy(
  target: number,
  choose: (url: string) => Fault,
  scope: Scope,
): Promise<{ readonly url: string; readonly requests: number }> {
  let requests = 0
  const server = createServer((incoming, outgoing) => {
    requests += 1
    const fault = choose(incoming.url ?? '')
    if (fault.kind === 'status') outgoing.writeHead(fault.status).end('Bad Gateway')
    else if (fault.kind === 'page') outgoing.writeHead(200, { 'content-type': 'text/html' }).end('<form>')
    else forward(target, incoming, outgoing, fault)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    get requests() {
      return requests
    },
  }
}

function forward(port: number, incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault): void {
  const { method, url, headers } = incoming
  const upstream = request({ host: '127.0.0.1', port, method, path: url, headers }, response => {
    const status = response.statusCode ?? 502
    if (fault.kind === 'hold') {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => outgoing.writeHead(status, response.headers).end(Buffer.concat(chunks)))
      return
    }
    outgoing.writeHead(status, response.headers)
    outgoing.flushHeaders()
    let left = 'after' in fault ? fault.after : Infinity
    response.on('data', (chunk: Buffer) => {
      if (left <= 0) return
      outgoing.write(chunk.subarray(0, Math.min(left, chunk.length)), () => {
        if (left > 0) return
        if (fault.kind === 'cut') outgoing.destroy()
        else if (fault.kind === 'end') outgoing.end()
      })
      left -= chunk.length
    })
    response.on('end', () => outgoing.end())
    response.on('error', () => outgoing.destroy())
  })
  upstream.on('error', () => outgoing.destroy())
  outgoing.on('error', () => undefined)
  outgoing.once('close', () => upstream.destroy())
  upstream.end()
}
