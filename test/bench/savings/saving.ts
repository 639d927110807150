/** Something that is done for a stream to take less memory. */
export interface Saving {
  /** As tables call it. */
  readonly name: string
  /** What switches it off. */
  readonly patches: readonly Patch[]
}

/** A change to a file of the compiled library. */
export interface Patch {
  /** Its path in `lib`. */
  readonly file: string
  /** Text that is in the file once. */
  readonly from: string
  readonly to: string
}
