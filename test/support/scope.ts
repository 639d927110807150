/** Something with an end, at which what was started for it is stopped: the `t` of a test. */
export interface Scope {
  teardown(stop: () => Promise<void>): void
}
