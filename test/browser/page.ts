import type { Scope } from '../support/scope.ts'
import type { Observation } from './observed-stream.ts'

/** A tab of a browser, as far as the drivers of all browsers have it. */
export interface Page {
  goto(url: string): Promise<void>
  /** Runs a script; answers its last expression's value, or what that resolves to: JSON. */
  evaluate<T>(script: string): Promise<T>
  /** Gives the document that is open a global function of that name. */
  expose(name: string, tell: (told: Observation) => void): Promise<void>
}

/**
 * A tab of a browser that shows several, on a device that has a network. What is exposed is there in later documents, too,
 * before their scripts run.
 */
export interface FullPage extends Page {
  /** Another tab of the same profile. */
  newTab(): Promise<FullPage>
  /** Lets the user see the page, and not the one that was to be seen before. */
  bringToFront(): Promise<void>
  setOffline(yes: boolean): Promise<void>
  close(): Promise<void>
}

export interface Browser<P extends Page = Page> {
  readonly name: string
  /**
   * Opens an address in a new profile, when it is this test's turn: one call a test. Closed when the scope ends, which
   * fails if a script of a page's threw.
   */
  openPage(scope: Scope, url: string): Promise<P>
  close(): Promise<void>
}
