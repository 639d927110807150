import type { Context } from 'koa'
import { callInTime } from '../application.ts'
import type { Identity } from '../auth/identity.ts'
import { secretsOf } from '../koa/request-secrets.ts'
import { safeError } from '../safe-error.ts'
import type { OpsAction, OpsConfig } from './options.ts'

/** What the application's `may` has said. Where it has thrown or not answered in time, nobody knows: that is no permission. */
export type Verdict = 'allowed' | 'denied' | 'unknown'

export async function askMay(ctx: Context, config: OpsConfig, identity: Identity, action: OpsAction): Promise<Verdict> {
  const { hub, may, timeout } = config
  try {
    const limit = { clock: hub.clock, ms: timeout, what: `\`may\` of opsRoutes for \`${action.type}\`` }
    return (await callInTime(limit, () => may(identity, action))) === true ? 'allowed' : 'denied'
  } catch (error) {
    hub.failed('may', safeError(error, secretsOf(ctx, identity)))
    return 'unknown'
  }
}
