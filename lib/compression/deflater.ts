import { Buffer } from 'node:buffer'
import { constants, createDeflateRaw, deflateRawSync, type DeflateRaw } from 'node:zlib'

/** How far back compressed bytes may refer to those that were compressed before them. */
export const WINDOW_BYTES = 32_768

// A window of that size, and for the rest the least memory that does not make events larger: 190 KiB in all.
const SETTINGS = { level: 6, windowBits: 15, memLevel: 5 }

const NOTHING: Uint8Array = Buffer.alloc(0)

/** Compresses one piece after another, each of whole bytes that can be inflated at once (RFC 1951), from a window that slides along. */
export interface Deflater {
  compress(bytes: Uint8Array): Uint8Array
  /** Has the next piece refer to nothing before it. */
  begin(): void
  close(): void
}

/**
 * Node compresses piece by piece in its threads only, where what is sent in one turn would be compressed in another. Its
 * native half can do it at once: the property is private. Where it is missing, each piece is compressed by itself with the
 * window as its dictionary, which makes the same of it and costs several times as much.
 */
export function createDeflater(): Deflater {
  // Its own buffer is not used: the smallest will do.
  const stream = createDeflateRaw({ ...SETTINGS, chunkSize: constants.Z_MIN_CHUNK })
  const native = nativeOf(stream)
  if (native !== undefined) return new NativeDeflater(stream, native)
  stream.close()
  return new DictionaryDeflater()
}

/** Compresses a piece that refers to nothing. */
export function deflateAlone(bytes: Uint8Array): Uint8Array {
  lone ??= createDeflater()
  lone.begin()
  return lone.compress(bytes)
}

let lone: Deflater | undefined

/** The dictionary's way, which needs nothing but what Node documents. */
export class DictionaryDeflater implements Deflater {
  #window = NOTHING

  compress(bytes: Uint8Array): Uint8Array {
    const settings = { ...SETTINGS, finishFlush: constants.Z_SYNC_FLUSH }
    const compressed = deflateRawSync(
      bytes,
      this.#window.length === 0 ? settings : { ...settings, dictionary: this.#window },
    )
    this.#window = Buffer.concat([this.#window, bytes]).subarray(-WINDOW_BYTES)
    return compressed
  }

  begin(): void {
    this.#window = NOTHING
  }

  close(): void {
    this.begin()
  }
}

/** What Node's own `deflateRawSync` is made of. */
interface Native {
  /** Compresses what it can, and leaves in `left` how many bytes there is still room for, and are still to be read. */
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

// All deflaters write here; what they have written is copied at once.
const target = Buffer.allocUnsafeSlow(32_768)

class NativeDeflater implements Deflater {
  readonly #stream: DeflateRaw
  readonly #native: Native

  constructor(stream: DeflateRaw, native: Native) {
    this.#stream = stream
    this.#native = native
  }

  compress(bytes: Uint8Array): Uint8Array {
    const pieces: Uint8Array[] = []
    let [room, unread]: [number, number] = [0, bytes.length]
    // As long as the target is full there may be more.
    while (room === 0) {
      this.#native.write(bytes, bytes.length - unread, target)
      room = this.#native.left[0] ?? 0
      unread = this.#native.left[1] ?? 0
      pieces.push(Buffer.from(target.subarray(0, target.length - room)))
    }
    return pieces.length === 1 ? (pieces[0] ?? NOTHING) : Buffer.concat(pieces)
  }

  begin(): void {
    this.#stream.reset()
  }

  close(): void {
    this.#stream.close()
  }
}
