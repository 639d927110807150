/** How the streams of one mount behave: the checked options of `eventStream()`. */
export interface StreamPolicy {
  readonly heartbeat: { readonly interval: number; readonly frame: Uint8Array } | undefined
  /** Milliseconds, before the jitter. */
  readonly retry: number
  /** Milliseconds, before the jitter; `undefined` for no end. */
  readonly maxAge: number | undefined
  readonly bufferBytes: number
  /** How long a client may take nothing of what is buffered, in milliseconds. */
  readonly stall: number
  /** Topics a stream. */
  readonly maxTopics: number
}
