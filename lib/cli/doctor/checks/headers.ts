import { connect as connectTls } from 'node:tls'
import { ok, problem, seconds, unknown, warning, type Finding } from '../finding.ts'
import type { Subject } from '../subject.ts'

/** Whether what lies between compresses the stream, and holds it back for that. */
export async function checkCompression(subject: Subject): Promise<Finding[]> {
  const probe = await subject.open({ headers: { 'accept-encoding': 'gzip, br' } })
  if (probe === 'unreachable') return [unknown('compression', 'the connection breaks when compression is offered')]
  if (probe === 'silent') return [heldBack(subject.patience)]
  try {
    const { 'content-encoding': encoding = 'identity', 'cache-control': control = '' } = probe.headers
    const first = await probe.next(() => true)
    if (first === undefined && probe.ending() === undefined) return [heldBack(subject.patience)]
    if (encoding !== 'identity') {
      return [warning('compression', `compressed (${encoding}) on the way; events came at once this time`, EXCLUDE)]
    }
    if (!control.includes('no-transform')) {
      const seen = 'not compressed, but `no-transform` is missing from `Cache-Control`'
      return [warning('compression', seen, 'have nothing on the way replace `Cache-Control`')]
    }
    return [ok('compression', 'none on the way')]
  } finally {
    probe.close()
  }
}

const EXCLUDE =
  'exclude text/event-stream from compression: the stream says `Cache-Control: no-transform`, which not every proxy heeds'

function heldBack(patience: number): Finding {
  const seen = `no event comes within ${seconds(patience)} when compression is offered, though one comes otherwise`
  return problem('compression', seen, EXCLUDE)
}

/** Whether a cache on the way could keep the stream, or did. */
export async function checkCaching(subject: Subject): Promise<Finding[]> {
  const probe = await subject.open()
  if (typeof probe === 'string') return [unknown('caching', 'not answered a second time')]
  probe.close()
  const { age, 'cache-control': control = '' } = probe.headers
  const cure = 'exclude this route from the cache'
  if (age !== undefined) return [problem('caching', `a cache has answered (\`Age: ${age}\`)`, cure)]
  if (!/no-cache|no-store/.test(control)) {
    return [
      warning(
        'caching',
        '`Cache-Control` does not forbid it',
        `${cure}, and have nothing on the way replace the header`,
      ),
    ]
  }
  return [ok('caching', 'no cache has answered')]
}

/** Which HTTP a browser would speak: it opens six streams for a whole site over HTTP/1.1. */
export async function checkHttp(subject: Subject): Promise<Finding[]> {
  const cure =
    'speak HTTP/2 with browsers, which needs TLS; over HTTP/1.1 a browser has six connections for all tabs of a site: let tabs share one (`share`)'
  const protocol = subject.url.protocol === 'https:' ? await negotiate(subject) : 'http/1.1'
  if (protocol === 'h2') return [ok('http', 'HTTP/2 is offered')]
  if (protocol === undefined) return [unknown('http', 'the TLS handshake failed')]
  const probe = await subject.open()
  if (typeof probe === 'string') return [unknown('http', 'not answered a second time')]
  probe.close()
  if (probe.httpVersion !== '1.0') return [warning('http', `HTTP/${probe.httpVersion}, and no HTTP/2`, cure)]
  const seen = 'HTTP/1.0: a stream that is cut looks like one that has ended'
  return [problem('http', seen, 'have the proxy speak HTTP/1.1 or HTTP/2')]
}

function negotiate({ url: { hostname, port }, patience }: Subject): Promise<string | undefined> {
  return new Promise(resolve => {
    const servername = /[a-z]/i.test(hostname) ? { servername: hostname } : {}
    const options = { host: hostname, port: Number(port || 443), ALPNProtocols: ['h2', 'http/1.1'], ...servername }
    const socket = connectTls(options, () => finish(socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1'))
    const timer = setTimeout(() => finish(undefined), patience)
    const finish = (protocol: string | undefined): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(protocol)
    }
    socket.once('error', () => finish(undefined))
  })
}
