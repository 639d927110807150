import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Deferred } from '../../support/deferred.ts'
import type { Scene, Visit } from './scenes.ts'

/** Starts a client on a URL. It is asked to stop when its scene is over. */
export type Start = (url: string) => { stop(): void }

export interface Verdict {
  readonly scene: Scene
  /** What was wrong; `undefined` if nothing was. */
  readonly wrong: string | undefined
}

/** Plays a scene to a client, until it has done enough, or asked for nothing for `patience` milliseconds. */
export async function play(scene: Scene, start: Start, patience: number): Promise<Verdict> {
  const visits: Visit[] = []
  const began = performance.now()
  const over = new Deferred<void>()
  const end = () => over.resolve()
  let quiet = setTimeout(end, patience)
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://localhost').searchParams.get('lastEventId') ?? ''
    const header = request.headers['last-event-id']
    visits.push({ id: typeof header === 'string' ? header : query, at: performance.now() - began })
    clearTimeout(quiet)
    quiet = setTimeout(end, patience)
    const answer = scene.answers[Math.min(visits.length, scene.answers.length) - 1]
    answer?.(response)
    if (visits.length >= scene.enough) end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = start(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${scene.name}`)
  await over.promise
  clearTimeout(quiet)
  client.stop()
  server.close()
  server.closeAllConnections()
  return { scene, wrong: visits.length === 0 ? 'asked for nothing' : scene.wrong(visits) }
}
