import { Buffer } from 'node:buffer'
import { constants, createDeflateRaw, deflateRawSync, type DeflateRaw } from 'node:zlib'
import { stored } from './gzip.ts'

/** The size of the window: how far back compressed bytes may refer. */
export const WINDOW_BYTES = 32_768

// The least memory beside that window with which events do not get larger: 190 KiB in all.
const SETTINGS = { level: 7, windowBits: 15, memLevel: 5 }

const NOTHING: Uint8Array = Buffer.alloc(0)

/**
 * Compresses one piece after another against a sliding window. Each piece ends at a byte boundary and can be inflated
 * at once (RFC 1951). If zlib fails, as it does without memory, pieces are stored from then on.
 */
export interface Deflater {
  readonly hasFailed: boolean
  compress(bytes: Uint8Array): Uint8Array
  /** Clears the window: the next piece refers to nothing before it. */
  begin(): void
  close(): void
}

/**
 * Node's public API compresses a stream only in its thread pool, so that the result would arrive in a later turn. Its
 * native handle can do it synchronously, but the property is private. If it is missing, each piece is compressed by
 * itself with the window as its dictionary: the same output at several times the cost.
 */
export function createDeflater(): Deflater {
  // Its own buffer is not used, so the smallest is enough.
  const stream = createDeflateRaw({ ...SETTINGS, chunkSize: constants.Z_MIN_CHUNK })
  const native = nativeOf(stream)
  if (native !== undefined) return new NativeDeflater(stream, native)
  stream.close()
  return new DictionaryDeflater()
}

/** Compresses a piece that refers to nothing before it. */
export function deflateAlone(bytes: Uint8Array): Uint8Array {
  if (lone === undefined || lone.hasFailed) lone = createDeflater()
  lone.begin()
  return lone.compress(bytes)
}

let lone: Deflater | undefined

/** Compresses with a dictionary: only documented APIs of Node. */
export class DictionaryDeflater implements Deflater {
  // Each piece has a compressor of its own.
  readonly hasFailed = false
  #window = NOTHING

  compress(bytes: Uint8Array): Uint8Array {
    const dictionary = this.#window
    this.#window = Buffer.concat([dictionary, bytes]).subarray(-WINDOW_BYTES)
    const settings = { ...SETTINGS, finishFlush: constants.Z_SYNC_FLUSH }
    try {
      return deflateRawSync(bytes, dictionary.length === 0 ? settings : { ...settings, dictionary })
    } catch {
      return stored(bytes)
    }
  }

  begin(): void {
    this.#window = NOTHING
  }

  close(): void {
    this.begin()
  }
}

/** The native handle that Node's own `deflateRawSync` uses. */
interface Native {
  /**
   * Compresses until the target is full or the input is read. `left` then has the bytes free in the target, and the
   * bytes still to be read.
   */
  write(bytes: Uint8Array, from: number, target: Uint8Array): void
  readonly left: Uint32Array
}

function nativeOf(stream: object): Native | undefined {
  const handle: unknown = Reflect.get(stream, '_handle')
  const left: unknown = Reflect.get(stream, '_writeState')
  if (typeof handle !== 'object' || handle === null || !(left instanceof Uint32Array)) return undefined
  const writeSync: unknown = Reflect.get(handle, 'writeSync')
  if (typeof writeSync !== 'function') return undefined
  return {
    left,
    write: (bytes, from, target) => {
      Reflect.apply(writeSync, handle, [
        constants.Z_SYNC_FLUSH,
        bytes,
        from,
        bytes.length - from,
        target,
        0,
        target.length,
      ])
    },
  }
}

// Shared by all deflaters: its contents are copied at once.
const target = Buffer.allocUnsafeSlow(32_768)

class NativeDeflater implements Deflater {
  readonly #stream: DeflateRaw
  readonly #native: Native

  constructor(stream: DeflateRaw, native: Native) {
    this.#stream = stream
    this.#native = native
    stream.on('error', ignore)
  }

  get hasFailed(): boolean {
    return this.#stream.destroyed
  }

  compress(bytes: Uint8Array): Uint8Array {
    return this.#deflate(bytes) ?? stored(bytes)
  }

  begin(): void {
    if (!this.hasFailed) this.#stream.reset()
  }

  close(): void {
    this.#stream.close()
  }

  #deflate(bytes: Uint8Array): Uint8Array | undefined {
    const pieces: Uint8Array[] = []
    let [room, unread]: [number, number] = [0, bytes.length]
    // A full target means that there may be more output.
    while (room === 0) {
      if (!this.#write(bytes, bytes.length - unread)) return undefined
      room = this.#native.left[0] ?? 0
      unread = this.#native.left[1] ?? 0
      pieces.push(Buffer.from(target.subarray(0, target.length - room)))
    }
    return pieces.length === 1 ? (pieces[0] ?? NOTHING) : Buffer.concat(pieces)
  }

  // Node destroys the stream if zlib reports an error; using its handle afterwards would abort the process.
  #write(bytes: Uint8Array, from: number): boolean {
    if (this.hasFailed) return false
    try {
      this.#native.write(bytes, from, target)
    } catch {
      this.#stream.destroy()
    }
    return !this.hasFailed
  }
}

function ignore(): void {}
