import { randomUUID } from 'node:crypto'
import { createApp, type Demo, type DemoParts } from '../../demo/app.ts'
import { Accounts, type Credentials } from '../../demo/domain/accounts.ts'
import { readConfig, type Config } from '../../demo/config.ts'
import { openStream, serve, type ReceivedStream } from '../support/http.ts'
import type { Scope } from '../support/scope.ts'

export const PASSWORDS = { ada: 'analytical-engine', grace: 'nanoseconds', joan: 'banburismus' } as const
export type User = keyof typeof PASSWORDS

// The site's own hashes cost a quarter of a second each.
const CREDENTIALS: readonly Credentials[] = [
  {
    account: { id: 'ada', name: 'Ada Lovelace', company: 'Engine Street Roasters', role: 'customer' },
    passwordHash: '$scrypt$ln=10,r=8,p=1$ki2pHpFcePGeF2dVwKctDg$Fa9bk74KTAz11ZhUnbwAfoo9oFJi5N7sBhdXQcplANU',
  },
  {
    account: { id: 'grace', name: 'Grace Hopper', company: 'Harbour Light Coffee', role: 'customer' },
    passwordHash: '$scrypt$ln=10,r=8,p=1$FhFHLXxi82/T7TjRF2NB6A$CCP/AOIV6v2sTXOQ5eLLSTLJ/jN/Ew3MFq/6iNNCY8g',
  },
  {
    account: { id: 'joan', name: 'Joan Clarke', company: 'Quayside', role: 'operator' },
    passwordHash: '$scrypt$ln=10,r=8,p=1$ot5i4ETWDtlNHchkNoOh0A$fL0wCQ+H02D5Twb6znvwlF3TxywugGzlbegRiLLBSYY',
  },
]

export interface Site extends Demo {
  readonly url: string
  /** Somebody with a browser of their own, not logged in yet. */
  visitor(): Visitor
  /** The same, logged in by the form. */
  loggedIn(user: User): Promise<Visitor>
  /** Asks the API for tokens, as whoever has the right to them. */
  askForTokens(body: Record<string, string>): Promise<Response>
  /** Logs in at the API. */
  tokens(user: User): Promise<Tokens>
  /** An access token of the API. */
  token(user: User): Promise<string>
}

/** What the API answers to a login or a refresh. */
export interface Tokens {
  readonly access_token: string
  readonly token_type: string
  readonly expires_in: number
  readonly refresh_token: string
}

/**
 * Where the demo is to find Redis. Its clients give up after a second, which is right for a site and short for a machine
 * that is busy with tests; what an address says comes first with ioredis, and no number is no limit.
 */
export function patientUrl({ url }: { readonly url: string }): string {
  return `${url}?commandTimeout=none`
}

function answerPath(id: string): string {
  return `/assistant/answers/${encodeURIComponent(id)}`
}

/** Serves the demo on a free port, with nothing in it that moves by itself. */
export async function openSite(
  scope: Scope,
  overrides: Partial<Config> = {},
  parts: Omit<DemoParts, 'accounts'> = {},
): Promise<Site> {
  const accounts = new Accounts(CREDENTIALS)
  const demo = createApp({ ...readConfig({}), ...overrides }, { accounts, ...parts })
  scope.teardown(() => demo.close())
  const { url } = await serve(demo.app, scope)
  const visitor = () => new Visitor(url)

  const askForTokens: Site['askForTokens'] = body =>
    fetch(`${url}/api/token`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  const tokens: Site['tokens'] = async user => {
    const response = await askForTokens({ username: user, password: PASSWORDS[user] })
    return (await response.json()) as Tokens
  }

  return {
    ...demo,
    url,
    visitor,
    async loggedIn(user) {
      const somebody = visitor()
      const response = await somebody.logIn(user, PASSWORDS[user])
      if (response.status !== 303) throw new Error(`logging in failed with status ${response.status}`)
      return somebody
    },
    askForTokens,
    tokens,
    token: async user => (await tokens(user)).access_token,
  }
}

/** A browser's part: it keeps cookies, sends forms with an origin, and follows no redirect unasked. */
export class Visitor {
  readonly #url: string
  readonly #cookies = new Map<string, string>()

  constructor(url: string) {
    this.#url = url
  }

  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  set cookie(header: string) {
    this.#cookies.clear()
    for (const pair of header.split('; ')) this.#keep(pair)
  }

  get(path: string): Promise<Response> {
    return this.#fetch(path, { headers: { Accept: 'text/html' } })
  }

  /** Sends a form as a page of this site does; `headers` may make it another one's. */
  post(path: string, form: Record<string, string> = {}, headers: Record<string, string> = {}): Promise<Response> {
    const origin = { Origin: this.#url, 'Sec-Fetch-Site': 'same-origin' }
    return this.#fetch(path, { method: 'POST', body: new URLSearchParams(form), headers: { ...origin, ...headers } })
  }

  logIn(username: string, password: string, next = '/'): Promise<Response> {
    return this.post('/login', { username, password, next })
  }

  openStream(path = '/events', headers: Record<string, string> = {}): Promise<ReceivedStream> {
    return openStream(this.#url + path, {
      headers: { cookie: this.cookie, 'Sec-Fetch-Site': 'same-origin', ...headers },
    })
  }

  /** Asks the assistant; an answer with that id which is there is read along. */
  ask(question: string, id: string = randomUUID()): Promise<ReceivedStream> {
    return openStream(this.#url + answerPath(id), {
      method: 'POST',
      headers: { cookie: this.cookie, origin: this.#url, 'content-type': 'application/json' },
      body: JSON.stringify({ question }),
    })
  }

  /** Reads an answer of the assistant's. */
  readAnswer(id: string, headers: Record<string, string> = {}): Promise<ReceivedStream> {
    return this.openStream(answerPath(id), headers)
  }

  /** Stops an answer; answers the status. */
  async stopAnswer(id: string): Promise<number> {
    const headers = { Origin: this.#url, 'Sec-Fetch-Site': 'same-origin' }
    return (await this.#fetch(answerPath(id), { method: 'DELETE', headers })).status
  }

  async #fetch(
    path: string,
    init: { method?: string; body?: URLSearchParams; headers: Record<string, string> },
  ): Promise<Response> {
    const response = await fetch(this.#url + path, {
      ...init,
      redirect: 'manual',
      headers: { ...init.headers, Cookie: this.cookie },
    })
    for (const header of response.headers.getSetCookie()) this.#keep(header)
    return response
  }

  #keep(header: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(header) ?? []
    if (value === '') this.#cookies.delete(name)
    else this.#cookies.set(name, value)
  }
}
