/** Blocks the thread for so many milliseconds, as work does, or a machine that is stopped for a while. */
export function beBusy(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
