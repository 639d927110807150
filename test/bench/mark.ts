/**
 * What the data of every event begins with: `@@<lane> <seq> <time> `, in fixed widths, so that it is found and read
 * without parsing the event. A stream sees each lane's `seq` rise by one; the time is when it was due to be published, so
 * that latency holds what a busy server made it wait for.
 */
export const MARK = Buffer.from('@@')
export const LANES = 10
const SEQ_WIDTH = 9
const TIME_WIDTH = 15
const SEQ_AT = MARK.length + 2
const TIME_AT = SEQ_AT + SEQ_WIDTH + 1
/** Bytes of a mark. */
export const MARK_WIDTH = TIME_AT + TIME_WIDTH + 1

const ZERO = 48
const origin = monotonicOrigin()

/** Microseconds on the clock that all processes of a machine share and that nobody sets. */
export function now(): number {
  return origin + performance.now() * 1_000
}

/** The data of an event that is due at a time, so many bytes of ASCII. */
export function markedData(lane: number, seq: number, due: number, bytes: number): string {
  const time = String(Math.round(due)).padStart(TIME_WIDTH, '0')
  return `@@${lane} ${String(seq).padStart(SEQ_WIDTH, '0')} ${time} `.padEnd(bytes, 'x')
}

export function laneOf(chunk: Uint8Array, at: number): number {
  return (chunk[at + MARK.length] ?? ZERO) - ZERO
}

export function seqOf(chunk: Uint8Array, at: number): number {
  return digits(chunk, at + SEQ_AT, SEQ_WIDTH)
}

export function timeOf(chunk: Uint8Array, at: number): number {
  return digits(chunk, at + TIME_AT, TIME_WIDTH)
}

function digits(chunk: Uint8Array, at: number, width: number): number {
  let number = 0
  for (let i = at; i < at + width; i += 1) number = number * 10 + (chunk[i] ?? ZERO) - ZERO
  return number
}

// `performance.now()` counts from the start of the process on the clock that `hrtime` reads.
function monotonicOrigin(): number {
  return Number(process.hrtime.bigint() / 1_000n) - performance.now() * 1_000
}
