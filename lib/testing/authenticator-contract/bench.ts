import type Koa from 'koa'
import type { Authenticator } from '../../auth/authenticator.ts'
import type { Identity } from '../../auth/identity.ts'
import { createHub } from '../../create-hub.ts'
import type { Hub } from '../../hub/hub.ts'
import { eventStream } from '../../koa/middleware.ts'
import { requireIdentity } from '../../koa/require-identity.ts'
import { manualClock, type ManualClock } from '../manual-clock.ts'
import { StreamRefused } from '../stream-refused.ts'
import type { TestStream } from '../test-stream.ts'
import { testStreams, type TestSite } from '../test-streams.ts'

/** What credentials add to a request. */
export interface ContractRequest {
  readonly headers?: Readonly<Record<string, string>>
  /** Without its question mark. */
  readonly query?: string
}

/** A login for one test. */
export interface ContractLogin extends ContractRequest {
  /** What opens something to whoever has it: it may be shown nowhere. */
  readonly secrets: readonly string[]
  /** Ends the login: a log-out, a revocation. Left out, its end is not tested. */
  end?(): unknown
}

/** An authenticator with all that it needs. */
export interface ContractAuthenticator {
  readonly authenticate: Authenticator
  /** An application with what has to be mounted before the authenticator is asked. */
  readonly app: Koa
  /** Logs somebody in. */
  readonly login: (site: TestSite) => ContractLogin | Promise<ContractLogin>
  /** Requests with credentials that are bad: forged, expired, malformed. */
  readonly bad: (site: TestSite) => readonly ContractRequest[] | Promise<readonly ContractRequest[]>
}

/** What an authenticator is made with: the hub of its mounts, and a clock for both, which begins at the present time. */
export interface ContractAuthenticatorOptions {
  readonly hub: Hub
  readonly clock: ManualClock
}

export type MakeAuthenticator = (
  options: ContractAuthenticatorOptions,
) => ContractAuthenticator | Promise<ContractAuthenticator>

/** What one test works with. */
export interface Bench {
  readonly authenticate: Authenticator
  readonly clock: ManualClock
  /** Whose streams have been opened. */
  readonly identities: readonly Identity[]
  /** What others than the client could see: URLs behind the authenticator, and what the hub has told. */
  readonly shown: unknown[]
  login(): Promise<ContractLogin>
  bad(): Promise<readonly ContractRequest[]>
  open(request: ContractRequest): Promise<TestStream>
  /** Asks for a stream that is refused. */
  refused(request: ContractRequest): Promise<StreamRefused>
  /** Asks an ordinary route, and answers its status. */
  visit(request: ContractRequest): Promise<number>
  close(): Promise<void>
}

// A hang, and nothing else, takes as long.
const WITHIN = 60_000

export async function openBench(makeAuthenticator: MakeAuthenticator): Promise<Bench> {
  const clock = manualClock(Date.now())
  const hub = createHub({ clock })
  const { app, authenticate, login, bad } = await makeAuthenticator({ hub, clock })
  const identities: Identity[] = []
  const shown: unknown[] = []
  for (const name of ['refuse', 'fault', 'open', 'close'] as const) hub.on(name, (told: unknown) => shown.push(told))
  app.on('error', error => shown.push(error))
  mount(app, { hub, authenticate, identities, shown })
  const site = await testStreams(app, { hub, within: WITHIN })
  const open = ({ headers = {}, query }: ContractRequest): Promise<TestStream> =>
    site.open(pathOf(STREAM, query), { headers })
  return {
    authenticate,
    clock,
    identities,
    shown,
    login: async () => login(site),
    bad: async () => bad(site),
    open,
    refused: request =>
      open(request).then(
        () => {
          throw new Error('a stream was opened')
        },
        (error: unknown) => {
          if (error instanceof StreamRefused) return error
          throw error
        },
      ),
    visit: async ({ headers = {}, query }) => {
      const response = await site.fetch(pathOf(ROUTE, query), { headers })
      await response.arrayBuffer()
      return response.status
    },
    close: async () => {
      await site.close()
      await hub.close()
    },
  }
}

// Paths that are hardly the application's own.
const STREAM = '/contract-stream'
const ROUTE = '/contract-route'

interface Mounted extends Pick<Bench, 'authenticate' | 'shown'> {
  readonly hub: Hub
  readonly identities: Identity[]
}

function mount(app: Koa, { hub, authenticate, identities, shown }: Mounted): void {
  const subscribe = ({ identity }: { readonly identity: Identity }): string => {
    identities.push(identity)
    return 'contract'
  }
  const stream = eventStream({ hub, authenticate, subscribe })
  const route = authenticate.redeem === undefined ? requireIdentity({ hub, authenticate }) : undefined
  app.use(async (ctx, next) => {
    if (ctx.path === STREAM) await stream(ctx)
    else if (ctx.path === ROUTE && route !== undefined) {
      await route(ctx, async () => {
        ctx.body = 'ordinary'
      })
    } else {
      await next()
      return
    }
    shown.push([ctx.url, ctx.originalUrl, ctx.querystring, ctx.req.url])
  })
}

function pathOf(path: string, query: string | undefined): string {
  return query === undefined ? path : `${path}?${query}`
}
