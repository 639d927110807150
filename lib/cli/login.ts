/** Who asks. Nothing of it is ever shown. */
export interface Login {
  /** Names in small letters. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Where tickets are issued, if the stream takes those. */
  readonly ticketUrl: URL | undefined
}

/** What a request for the stream is made with. */
export interface Credentials {
  readonly url: URL
  readonly headers: Record<string, string>
}

/** How long a ticket may take. */
const WITHIN = 10_000

/**
 * Asks for a ticket, where the stream takes one: it opens one stream.
 *
 * @throws {Error} if there is none; nothing of what was sent or answered shows in it, but for the status
 */
export async function logIn(url: URL, { headers, ticketUrl }: Login): Promise<Credentials> {
  const own = Object.fromEntries(headers)
  if (ticketUrl === undefined) return { url: new URL(url), headers: own }
  const ticketed = new URL(url)
  ticketed.searchParams.set('ticket', await askTicket(ticketUrl, own))
  return { url: ticketed, headers: {} }
}

async function askTicket(url: URL, headers: Record<string, string>): Promise<string> {
  const signal = AbortSignal.timeout(WITHIN)
  // Headers with keys in them would go along to wherever a redirect leads.
  const response = await fetch(url, { method: 'POST', headers, redirect: 'manual', signal }).catch(() => {
    throw new Error(`no ticket: ${placeOf(url)} does not answer`)
  })
  const answer: unknown = response.ok ? await response.json().catch(() => undefined) : undefined
  if (typeof answer === 'object' && answer !== null && 'ticket' in answer && typeof answer.ticket === 'string') {
    return answer.ticket
  }
  throw new Error(`no ticket: ${placeOf(url)} answers status ${response.status}${response.ok ? ' without one' : ''}`)
}

/** An address as it may be shown: user, password and query can be secrets. */
export function placeOf({ origin, pathname }: URL): string {
  return origin + pathname
}
