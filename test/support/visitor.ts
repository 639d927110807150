import { openStream } from './event-client.ts'
import type { ReceivedStream } from './received-stream.ts'

/** A browser's part: it keeps the cookies it is given, and sends them along. */
export class Visitor {
  readonly cookies = new Map<string, string>()
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  async visit(path: string): Promise<Response> {
    const response = await fetch(this.#url + path, { headers: { cookie: this.cookie } })
    this.#keep(response.headers.getSetCookie())
    return response
  }

  /** Asks for a stream, as an EventSource does. */
  async openStream(path = '/events', headers: Record<string, string> = {}): Promise<ReceivedStream> {
    const stream = await openStream(this.#url + path, { headers: { cookie: this.cookie, ...headers } })
    this.#keep(stream.headers['set-cookie'] ?? [])
    return stream
  }

  #keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
  }
}
