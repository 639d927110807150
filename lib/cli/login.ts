/** The user's credentials. Never printed. */
export interface Login {
  /** Names in lower case, each once. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Where tickets are issued, if the stream uses them. */
  readonly ticketUrl: URL | undefined
}

/** The credentials of one request for the stream. */
export interface Credentials {
  readonly url: URL
  readonly headers: Record<string, string>
}

/** The timeout of a ticket request, in milliseconds. */
const WITHIN = 10_000
/** Bytes of its response. */
const MOST_BYTES = 65_536

/**
 * Fetches a ticket if the stream uses them: one per stream.
 *
 * @param signal aborted when it is no longer needed
 * @throws {Error} if there is none; it contains only the status, nothing of the request or the response
 */
export async function logIn(url: URL, { headers, ticketUrl }: Login, signal?: AbortSignal): Promise<Credentials> {
  const own = Object.fromEntries(headers)
  if (ticketUrl === undefined) return { url: new URL(url), headers: own }
  const ticketed = new URL(url)
  ticketed.searchParams.set('ticket', await askTicket(ticketUrl, own, signal))
  return { url: ticketed, headers: {} }
}

async function askTicket(url: URL, headers: Record<string, string>, unneeded?: AbortSignal): Promise<string> {
  const request = new AbortController()
  // By `AbortSignal.any` Node 20 would lose a timeout that nothing else refers to.
  for (const end of [AbortSignal.timeout(WITHIN), unneeded]) end?.addEventListener('abort', () => request.abort())
  const { signal } = request
  // A redirect to another host would take headers such as `X-Api-Key` along.
  const response = await fetch(url, { method: 'POST', headers, redirect: 'manual', signal }).catch(() => {
    throw new Error(`no ticket: ${placeOf(url)} does not respond`)
  })
  const answer: unknown = response.ok ? await readJson(response).catch(() => undefined) : undefined
  if (typeof answer === 'object' && answer !== null && 'ticket' in answer && typeof answer.ticket === 'string') {
    return answer.ticket
  }
  throw new Error(
    `no ticket: ${placeOf(url)} responds with status ${response.status}${response.ok ? ' without one' : ''}`,
  )
}

/** @throws {Error} as a rejection, for what is no JSON or too large */
async function readJson({ body }: Response): Promise<unknown> {
  if (body === null) return undefined
  const pieces: Uint8Array[] = []
  let bytes = 0
  const read: AsyncIterable<Uint8Array> = body
  for await (const piece of read) {
    pieces.push(piece)
    bytes += piece.length
    if (bytes > MOST_BYTES) throw new RangeError('too large')
  }
  return JSON.parse(Buffer.concat(pieces).toString())
}

/** A URL without user, password and query, which can be secrets. */
export function placeOf({ origin, pathname }: URL): string {
  return origin + pathname
}
