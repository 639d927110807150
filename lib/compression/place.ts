import { crc32 } from 'node:zlib'
import type { SharedFrames } from '../stream/sink.ts'
import type { Chunk } from '../wire/chunk.ts'
import type { Cohort } from './cohort.ts'
import type { Cohorts } from './cohorts.ts'
import { shift } from './crc.ts'

// A stream that found too many cohorts looks for one again after so many deliveries: with a hundred topics that costs
// several times as much CPU as a delivery.
const PATIENCE = 64

/** The part of a stream that its place needs. */
export interface Participant {
  readonly topics: readonly string[]
}

/**
 * What one client has been sent: length and CRC, for the gzip trailer, and since when only the bytes of its cohort.
 * While that is so a delivery does not read the bytes: the CRC is derived from the cohort's when the stream leaves.
 */
export class Place {
  readonly #cohorts: Cohorts
  readonly #participant: Participant
  // Without the bytes sent since it joined its cohort.
  #crc = 0
  #length = 0
  #cohort: Cohort | undefined
  // Positions in the cohort's bytes: where it joined and where it is; and their CRC up to there.
  #since = 0
  #at = 0
  #cohortCrc = 0
  // The key of the last shared events that were sent outside a cohort.
  #heard: number | undefined
  // The number of deliveries before it looks for a cohort again.
  #patience = 0

  constructor(cohorts: Cohorts, participant: Participant) {
    this.#cohorts = cohorts
    this.#participant = participant
  }

  get crc(): number {
    return this.#cohort === undefined ? this.#crc : shift(this.#crc, this.#at - this.#since) ^ this.#cohortCrc
  }

  get length(): number {
    return this.#length + this.#at - this.#since
  }

  /**
   * Called for events that others are sent, too. Returns them compressed, or `undefined` if they have to be sent to
   * this client alone.
   */
  share(shared: SharedFrames): Chunk | undefined {
    this.#cohort ??= this.#join(shared.key)
    const step = this.#cohort?.step(shared, this.#at, this.#participant.topics)
    const piece = step?.piece(this.#since)
    if (step === undefined || piece === undefined) {
      this.passAlone(shared.chunk.bytes)
      this.#heard = shared.key
      return undefined
    }
    this.#at = step.to.position
    this.#cohortCrc = step.to.crc
    return piece
  }

  /** Called for bytes sent to this client alone, which take it out of its cohort. */
  passAlone(bytes: Uint8Array): void {
    this.leave()
    this.#heard = undefined
    this.#crc = crc32(bytes, this.#crc >>> 0) | 0
    this.#length += bytes.length
  }

  leave(): void {
    if (this.#cohort === undefined) return
    this.#crc = this.crc
    this.#length = this.length
    this.#since = 0
    this.#at = 0
    this.#cohorts.leave(this.#cohort)
    this.#cohort = undefined
  }

  #join(key: number): Cohort | undefined {
    if (this.#patience > 0) {
      this.#patience -= 1
      return undefined
    }
    const cohort = this.#cohorts.enter(this.#participant.topics)
    if (cohort === undefined && this.#cohorts.isFull) this.#patience = PATIENCE
    const entry = cohort?.entry(key, this.#heard)
    if (cohort === undefined || entry === undefined) {
      if (cohort !== undefined) this.#cohorts.leave(cohort)
      return undefined
    }
    this.#since = entry.position
    this.#at = entry.position
    this.#cohortCrc = entry.crc
    // Cancels the CRC of the cohort's bytes before this position when the stream leaves.
    this.#crc ^= entry.crc
    return cohort
  }
}
