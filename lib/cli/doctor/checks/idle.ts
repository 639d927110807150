import { ok, problem, seconds, unknown, warning, type Finding } from '../finding.ts'
import type { Block, Ending, Probe } from '../probe.ts'
import { isOpen, type Subject } from '../subject.ts'
import { unopened } from './unopened.ts'

// How late a heartbeat may be in addition to a quarter of its interval: the tolerance of the library's client.
const GRACE = 2_000
// A longer interval is taken for an hour, whatever a server says.
const LONGEST_HEARTBEAT = 3_600_000
/** If the stream has no heartbeats. */
const DEFAULT_WAIT = 60_000
// Proxies count idle time in seconds: a shorter silence has reached no limit of theirs.
const SHORTEST_LIMIT = 500
// A silence that has reached a limit is longer than all before it: by more than a busy machine makes of equal ones.
const CLEARLY_LONGER = 1.1

/** Whether an idle stream stays open. Takes two heartbeats. */
export async function checkIdle(subject: Subject): Promise<Finding[]> {
  const probe = await subject.open()
  if (!isOpen(probe)) return [unopened('idle', probe)]
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
  if (goaway !== undefined) return unknown('idle', 'the application ended the stream: see its last event')
  const ending = probe.ending()
  const interval = heartbeat ? `the heartbeat interval is ${seconds(heartbeat)}` : 'there is no heartbeat'
  if (ending !== undefined) return judgeCut(ending, interval)
  const silence = probe.longestSilence()
  if (heartbeat && silence > heartbeat * 1.25 + GRACE) {
    const seen = `nothing arrived for ${seconds(silence)}, though ${interval}: a proxy buffers the stream`
    return problem('idle', seen, 'turn off response buffering for this route')
  }
  const stays = `open after ${seconds(wait)}, ${seconds(silence)} of it silent`
  if (cursor && !heartbeat) {
    return warning(
      'idle',
      `${stays}; there is no heartbeat`,
      'set `heartbeat`: most proxies cut connections that are idle for about a minute',
    )
  }
  return ok('idle', stays)
}

/** An idle timeout cuts at the longest silence so far, or at the first one; whatever else cuts, at any. */
function judgeCut({ silence, survived, age }: Ending, interval: string): Finding {
  if (silence > Math.max(SHORTEST_LIMIT, survived * CLEARLY_LONGER)) {
    return problem(
      'idle',
      `cut after ${seconds(silence)} of silence; ${interval}`,
      'raise the proxy’s idle timeout above two heartbeats, or set `heartbeat` below half of it',
    )
  }
  return problem(
    'idle',
    `cut ${seconds(age)} after opening, though not idle`,
    'if the next one is cut after the same time, a proxy limits the total time of a response: raise that limit, or set `maxAge` below it; otherwise see why the application or the proxy ends it',
  )
}

/** Milliseconds between heartbeats, from the stream's own data. */
function heartbeatOf({ data }: Block): number | undefined {
  try {
    const arrival: unknown = JSON.parse(data)
    if (typeof arrival === 'object' && arrival !== null && 'heartbeat' in arrival) {
      return typeof arrival.heartbeat === 'number' ? Math.min(arrival.heartbeat, LONGEST_HEARTBEAT) : undefined
    }
  } catch {
    // An application event of that name.
  }
  return undefined
}
