import { isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ok, problem, seconds, unknown, warning, type Finding } from '../finding.ts'
import { isOpen, type Subject } from '../subject.ts'
import { unopened } from './unopened.ts'

/** Whether a proxy compresses the stream, and delays it by doing so. */
export async function checkCompression(subject: Subject): Promise<Finding[]> {
  const probe = await subject.open({ headers: { 'accept-encoding': 'gzip, br' } })
  if (probe === 'silent') return [heldBack(subject.patience)]
  if (!isOpen(probe)) return [unopened('compression', probe, 'a request that offers compression')]
  try {
    const { 'content-encoding': encoding = 'identity', 'cache-control': control = '' } = probe.headers
    const first = await probe.next(() => true)
    if (first === undefined) return [probe.ending() === undefined ? heldBack(subject.patience) : broken(encoding)]
    if (encoding !== 'identity') {
      return [
        warning('compression', `a proxy compresses it (${encoding}); events arrived without delay this time`, EXCLUDE),
      ]
    }
    if (!control.includes('no-transform')) {
      const seen = 'not compressed, but `no-transform` is missing from `Cache-Control`'
      return [warning('compression', seen, 'stop proxies from replacing `Cache-Control`')]
    }
    return [ok('compression', 'none')]
  } finally {
    probe.close()
  }
}

const EXCLUDE =
  'exclude text/event-stream from compression: the stream sends `Cache-Control: no-transform`, which some proxies ignore'

function heldBack(patience: number): Finding {
  const seen = `no event arrives within ${seconds(patience)} when compression is offered, but one does otherwise`
  return problem('compression', seen, EXCLUDE)
}

/** The same stream has brought an event before, uncompressed. */
function broken(encoding: string): Finding {
  const seen = `the stream (${encoding}) breaks before its first event when compression is offered`
  return problem('compression', seen, EXCLUDE)
}

/** Whether a cache could store the stream, or did. */
export async function checkCaching(subject: Subject): Promise<Finding[]> {
  const probe = await subject.open()
  if (!isOpen(probe)) return [unopened('caching', probe)]
  probe.close()
  const { age, 'cache-control': control = '' } = probe.headers
  const cure = 'exclude this route from the cache'
  if (age !== undefined) return [problem('caching', `the response came from a cache (\`Age: ${age}\`)`, cure)]
  if (!/no-cache|no-store/.test(control)) {
    return [
      warning(
        'caching',
        '`Cache-Control` does not forbid caching',
        `${cure}, and stop proxies from replacing the header`,
      ),
    ]
  }
  return [ok('caching', 'not from a cache')]
}

/** The HTTP version of browsers: over HTTP/1.1 they open six connections for a whole site. */
export async function checkHttp(subject: Subject): Promise<Finding[]> {
  const cure =
    'serve browsers over HTTP/2, which needs TLS; over HTTP/1.1 a browser has six connections for all tabs of a site: let tabs share one (`share`)'
  const protocol = subject.url.protocol === 'https:' ? await negotiate(subject) : 'http/1.1'
  if (protocol === 'h2') return [ok('http', 'HTTP/2 is offered')]
  if (protocol === undefined) return [unknown('http', 'the TLS handshake failed')]
  const probe = await subject.open()
  if (!isOpen(probe)) return [unopened('http', probe)]
  probe.close()
  if (probe.httpVersion !== '1.0') return [warning('http', `HTTP/${probe.httpVersion}, and no HTTP/2`, cure)]
  const seen = 'HTTP/1.0: a cut stream looks like one that has ended'
  return [problem('http', seen, 'configure the proxy for HTTP/1.1 or HTTP/2')]
}

function negotiate({ url: { hostname, port }, patience }: Subject): Promise<string | undefined> {
  return new Promise(resolve => {
    // A URL has an IPv6 address in brackets.
    const host = hostname.replace(/^\[|\]$/g, '')
    // SNI takes only names (RFC 6066, section 3).
    const servername = isIP(host) === 0 ? { servername: host } : {}
    const options = { host, port: Number(port || 443), ALPNProtocols: ['h2', 'http/1.1'], ...servername }
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
