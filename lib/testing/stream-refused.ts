import type { IncomingHttpHeaders } from 'node:http'

/** What a server has answered in place of a stream. */
export interface RefusalAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** What its last block says, where it was a stream that ended before it stood: such as `overload` or `drain`. */
  readonly reason?: string | undefined
}

/** A request for a stream got something else. */
export class StreamRefused extends Error implements RefusalAnswer {
  override readonly name = 'StreamRefused'
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly reason: string | undefined

  constructor({ status, headers, body, reason }: RefusalAnswer) {
    super(`no stream: ${sayingOf({ status, headers, body, reason })}`)
    this.status = status
    this.headers = headers
    this.body = body
    this.reason = reason
  }

  /** The challenge of a 401, or `undefined`. */
  get challenge(): string | undefined {
    return this.headers['www-authenticate']
  }
}

function sayingOf({ status, headers, body, reason }: RefusalAnswer): string {
  if (reason !== undefined) return `the server ended it before it stood, with the reason \`${reason}\``
  const challenge = headers['www-authenticate']
  const said = body === '' ? '' : `: ${body.slice(0, 200)}`
  return `the server answered ${status}${challenge === undefined ? '' : ` (WWW-Authenticate: ${challenge})`}${said}`
}
