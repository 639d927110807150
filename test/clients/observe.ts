import type { Site, Welcome } from './site.ts'

/** What a client was seen to do. */
export interface Behaviour {
  /** Whether it comes back when a stream has ended in order, and how it says then where it was. */
  readonly afterEnd: 'returns' | 'gives up'
  readonly resumes: 'header' | 'query' | 'not'
  readonly after503: 'returns' | 'gives up'
  readonly after401: 'returns' | 'gives up'
  /** What it does when the source of a stream has come to its end. */
  readonly afterSource: 'asks once more' | 'asks for ever' | 'runs it again' | 'gives up'
  /** Whether no cache on the way may answer it, whatever the response says. */
  readonly isUncached: boolean
  /** What it sends that a page of another origin needs leave for; of pages alone. */
  readonly headersAsked: readonly string[]
}

/** Lets a client open all kinds of streams, and sees what it does. */
export async function observe(site: Site, open: (welcome: Welcome) => unknown): Promise<Behaviour> {
  const welcomes: readonly Welcome[] = ['ended', 'source', '503', '401']
  await Promise.all(welcomes.map(open))
  const returns = async (welcome: Welcome) => ((await site.request(welcome, 2)) === undefined ? 'gives up' : 'returns')
  const first = await site.request('ended', 1)
  const [again, after503, after401, afterSource] = await Promise.all([
    site.request('ended', 2),
    returns('503'),
    returns('401'),
    sourceRead(site),
  ])
  return {
    afterEnd: again === undefined ? 'gives up' : 'returns',
    resumes: again === undefined ? 'not' : wayOf(again.headers['last-event-id'], again.path),
    after503,
    after401,
    afterSource,
    isUncached: first?.headers['cache-control'] !== undefined,
    headersAsked: [...site.headersAsked].sort(),
  }
}

async function sourceRead(site: Site): Promise<Behaviour['afterSource']> {
  if ((await site.request('source', 2)) === undefined) return 'gives up'
  const third = await site.request('source', 3)
  if (third === undefined) return 'asks once more'
  return third.status === 204 ? 'asks for ever' : 'runs it again'
}

function wayOf(header: unknown, path: string): Behaviour['resumes'] {
  if (header !== undefined) return 'header'
  return path.includes('lastEventId=') ? 'query' : 'not'
}
