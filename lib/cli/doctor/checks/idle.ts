import { ok, problem, seconds, unknown, warning, type Finding } from '../finding.ts'
import type { Block, Probe } from '../probe.ts'
import type { Subject } from '../subject.ts'

// How much later than it should a heartbeat may come, besides a quarter of its interval: what the library's client allows.
const GRACE = 2_000
// What a stream says of its heartbeats beyond an hour is taken for an hour.
const LONGEST_HEARTBEAT = 3_600_000
/** Where the stream says nothing of heartbeats. */
const DEFAULT_WAIT = 60_000

/** Whether a stream in which nothing happens stays open. It takes two heartbeats' time. */
export async function checkIdle(subject: Subject): Promise<Finding[]> {
  const probe = await subject.open()
  if (typeof probe === 'string') return [unknown('idle', 'not answered a second time')]
  try {
    return [await watch(probe, subject.wait)]
  } finally {
    probe.close()
  }
}

async function watch(probe: Probe, asked: number | undefined): Promise<Finding> {
  const cursor = await probe.next(({ event }) => event === 'cursor')
  const heartbeat = cursor && heartbeatOf(cursor)
  const wait = asked ?? (heartbeat ? 2 * heartbeat + GRACE : DEFAULT_WAIT)
  const goaway = await probe.next(({ event }) => event === 'goaway', wait)
  if (goaway !== undefined) return unknown('idle', 'the application has ended the stream meanwhile: see its last event')
  const ending = probe.ending()
  const interval = heartbeat ? `a heartbeat comes after ${seconds(heartbeat)}` : 'there is no heartbeat'
  if (ending !== undefined) {
    const seen = `cut after ${seconds(ending.silence)} of silence; ${interval}`
    return problem(
      'idle',
      seen,
      `have the proxy wait for more than two heartbeats, or set \`heartbeat\` to less than half of what it waits`,
    )
  }
  const silence = probe.longestSilence()
  if (heartbeat && silence > heartbeat * 1.25 + GRACE) {
    const seen = `nothing came for ${seconds(silence)}, though ${interval}: bytes are held back on the way`
    return problem('idle', seen, 'switch response buffering off for this route')
  }
  const stays = `open after ${seconds(wait)}, of which ${seconds(silence)} were silent`
  if (cursor && !heartbeat) {
    return warning(
      'idle',
      `${stays}; there is no heartbeat`,
      'set `heartbeat`: most proxies cut what is idle for a minute or so',
    )
  }
  return ok('idle', stays)
}

/** Milliseconds between heartbeats, as the stream itself says it. */
function heartbeatOf({ data }: Block): number | undefined {
  try {
    const arrival: unknown = JSON.parse(data)
    if (typeof arrival === 'object' && arrival !== null && 'heartbeat' in arrival) {
      return typeof arrival.heartbeat === 'number' ? Math.min(arrival.heartbeat, LONGEST_HEARTBEAT) : undefined
    }
  } catch {
    // Somebody else's event of that name.
  }
  return undefined
}
