import { crc32 } from 'node:zlib'
import type { SharedFrames } from '../stream/sink.ts'
import type { Chunk } from '../wire/chunk.ts'
import type { Cohort } from './cohort.ts'
import type { Cohorts } from './cohorts.ts'
import { shift } from './crc.ts'

/** A stream as its place sees it. */
export interface Participant {
  readonly topics: readonly string[]
}

/**
 * What the client of one stream has been sent: how much and with which CRC, which the end of gzip tells, and since when
 * nothing else than what its cohort was sent. While that is so a delivery costs no look at the bytes: the CRC is made from
 * the cohort's when the stream leaves it.
 */
export class Place {
  readonly #cohorts: Cohorts
  readonly #participant: Participant
  // Without what has been sent since it joined its cohort.
  #crc = 0
  #length = 0
  #cohort: Cohort | undefined
  // In the cohort's bytes: where it joined, where it is, and their CRC up to there.
  #since = 0
  #at = 0
  #cohortCrc = 0
  // The last shared events that it was sent outside of a cohort.
  #heard: number | undefined

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

  /** Events are sent that others are sent as well: answers them compressed, or `undefined` where they are to be sent alone. */
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

  /** Bytes are sent to this client alone: it is not where its cohort is any more. */
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
    const cohort = this.#cohorts.enter(this.#participant.topics)
    const entry = cohort?.entry(key, this.#heard)
    if (cohort === undefined || entry === undefined) {
      if (cohort !== undefined) this.#cohorts.leave(cohort)
      return undefined
    }
    this.#since = entry.position
    this.#at = entry.position
    this.#cohortCrc = entry.crc
    // What came before it joined is to weigh nothing in what is added when it leaves.
    this.#crc ^= entry.crc
    return cohort
  }
}
