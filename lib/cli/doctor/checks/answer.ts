import { ok, problem, seconds, unknown, type Finding } from '../finding.ts'
import type { Probe } from '../probe.ts'
import type { Subject } from '../subject.ts'

const UNBUFFER =
  'let the proxy pass each byte on at once: nginx obeys `X-Accel-Buffering: no`, which the stream sends, unless `proxy_ignore_headers` names it; elsewhere switch response buffering off for this route. Until then, pages on `koa-event-stream/client` fall back to long polls'

const STATUS_CURES: Readonly<Record<number, string>> = {
  401: 'give a login: --header, --cookie or --ticket-url',
  403: 'the login may not have this stream, or the `Origin` or TLS is not what the route asks for: see `origins`, `requireSecure` and the hub’s `refuse` event',
  404: 'the URL, or the proxy’s route to it, is wrong',
  406: 'something on the way changes the `Accept` header',
  429: 'too many streams: see `limits`',
  502: 'the proxy cannot reach the application',
  503: 'the application drains, is overloaded, or has lost its broker: see `hub.ready`',
  504: 'the proxy has waited for the application in vain, or for a whole response: switch its buffering off',
}

/** Whether there is a stream, and whether its first bytes come while it is open. */
export async function checkAnswer(subject: Subject): Promise<{ findings: Finding[]; isStream: boolean }> {
  const probe = await subject.open()
  if (probe === 'unreachable') {
    const cure =
      'look at the address, at DNS, at the certificate (NODE_EXTRA_CA_CERTS for one of your own) and at whether it listens'
    return {
      findings: [problem('answer', 'nobody can be reached there, or the connection breaks at once', cure)],
      isStream: false,
    }
  }
  if (probe === 'silent') return { findings: [await judgeSilence(subject)], isStream: false }
  try {
    return await judgeAnswer(probe, subject.patience)
  } finally {
    probe.close()
  }
}

async function judgeAnswer(probe: Probe, patience: number): Promise<{ findings: Finding[]; isStream: boolean }> {
  const { status, headers } = probe
  const type = headers['content-type'] ?? 'no content type'
  if (status !== 200 || !type.startsWith('text/event-stream')) {
    const cure =
      status === 200
        ? 'something else answers this URL: a login page, or the index of a single-page application'
        : (STATUS_CURES[status] ?? 'a stream answers 200; redirects are not followed')
    return { findings: [problem('answer', `status ${status}, ${type}`, cure)], isStream: false }
  }
  const answer = ok('answer', `status 200, ${type}`)
  const first = await probe.next(() => true)
  if (first !== undefined) {
    return { findings: [answer, ok('buffering', 'the first event comes while the stream is open')], isStream: true }
  }
  const ending = probe.ending()
  if (ending === undefined) {
    const seen = `no event comes within ${seconds(patience)}: what the application sends is held back`
    return { findings: [answer, problem('buffering', seen, UNBUFFER)], isStream: false }
  }
  return { findings: [answer, unknown('buffering', 'the stream ends at once, without any event')], isStream: false }
}

/** The application may be slow, or its answer be held back: a long poll, which ends, tells which. */
async function judgeSilence(subject: Subject): Promise<Finding> {
  const poll = await subject.open({ query: { stream: 'poll', lastEventId: 'doctor' } })
  if (poll === 'silent' || poll === 'unreachable') {
    const cure =
      'look at whether the application answers without the proxy, and at how long its `authenticate` and `subscribe` take'
    return problem('answer', `no answer within ${seconds(subject.patience)}`, cure)
  }
  poll.close()
  const seen = `no answer within ${seconds(subject.patience)}, but to a long poll, which ends: something holds a stream back until its end`
  return problem('buffering', seen, UNBUFFER)
}
