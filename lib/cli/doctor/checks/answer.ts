import { ok, problem, seconds, unknown, type Finding } from '../finding.ts'
import type { Failure } from '../failure.ts'
import type { Probe } from '../probe.ts'
import { isOpen, type Subject } from '../subject.ts'
import { cureOf, describe } from './unopened.ts'

const UNBUFFER =
  'turn off response buffering for this route; nginx honours `X-Accel-Buffering: no`, which the stream sends, unless `proxy_ignore_headers` names it. Until then, pages on `koa-event-stream/client` fall back to long polling'

const FAILURES: Readonly<Record<Exclude<Failure, 'silent'>, readonly [seen: string, cure: string]>> = {
  half: [
    'the head of the response does not end in time',
    'check what listens there: the application sends the head of a stream at once, and so does a proxy that does not buffer',
  ],
  unreachable: [
    'unreachable, or the connection breaks at once',
    'check the address, DNS and that the server listens; one that speaks TLS at this port breaks a connection of http://',
  ],
  untrusted: [
    'the certificate is signed by itself, or by an authority that is not trusted, or the chain lacks a certificate',
    'serve the whole chain (`fullchain.pem`); for a private authority set NODE_EXTRA_CA_CERTS, and have browsers trust it, too',
  ],
  expired: [
    'the certificate has expired, or is not valid yet',
    'renew it and reload the proxy; check the clocks of both',
  ],
  misnamed: [
    'the certificate is for another host name',
    'use the name in the certificate, or add this one to it; a proxy for many names may lack this one',
  ],
  'no-tls': [
    'no TLS handshake: plain HTTP is spoken at this port, or no TLS version in common',
    'use http://, or the port where the proxy speaks TLS (nginx: `listen 443 ssl`)',
  ],
  'no-http': [
    'what responds is no HTTP, or has a head of more than 16 KiB',
    'check the port: it may be that of another service, or want https://',
  ],
}

/** Whether there is a stream, and whether its first bytes arrive while it is open. */
export async function checkAnswer(subject: Subject): Promise<{ findings: Finding[]; isStream: boolean }> {
  const probe = await subject.open()
  if (probe === 'silent') return { findings: [await judgeSilence(subject)], isStream: false }
  if (typeof probe === 'string') return { findings: [problem('answer', ...FAILURES[probe])], isStream: false }
  if (!isOpen(probe)) {
    return { findings: [problem('answer', describe(probe.status, probe.type), cureOf(probe))], isStream: false }
  }
  try {
    return await judgeFirst(probe, subject.patience)
  } finally {
    probe.close()
  }
}

async function judgeFirst(probe: Probe, patience: number): Promise<{ findings: Finding[]; isStream: boolean }> {
  const answer = ok('answer', describe(probe.status, probe.headers['content-type']))
  const first = await probe.next(() => true)
  if (first !== undefined) {
    return { findings: [answer, ok('buffering', 'the first event arrives while the stream is open')], isStream: true }
  }
  const ending = probe.ending()
  if (ending === undefined) {
    const seen = `no event arrives within ${seconds(patience)}: a proxy buffers the stream`
    return { findings: [answer, problem('buffering', seen, UNBUFFER)], isStream: false }
  }
  return { findings: [answer, unknown('buffering', 'the stream ends at once, without an event')], isStream: false }
}

/**
 * The application may be slow, or a proxy may buffer its response: a long poll, whose response ends, distinguishes
 * them.
 */
async function judgeSilence(subject: Subject): Promise<Finding> {
  const poll = await subject.open({ query: { stream: 'poll', lastEventId: 'doctor' } })
  if (typeof poll === 'string') {
    const cure =
      'check whether the application responds without the proxy, and how long its `authenticate` and `subscribe` take'
    return problem('answer', `no response within ${seconds(subject.patience)}`, cure)
  }
  if (isOpen(poll)) poll.close()
  const seen = `no response within ${seconds(subject.patience)}, but one to a long poll: a proxy buffers the stream until it ends`
  return problem('buffering', seen, UNBUFFER)
}
