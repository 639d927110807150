import type { ExecutionContext } from 'ava'
import type Koa from 'koa'
import type { Middleware } from 'koa'
import type { Authenticator, Hub } from 'koa-event-stream'
import type { ReceivedStream } from '../support/http.ts'

/** A row of the table: packages that an application may have beside a stream, and how the two are put together. */
export interface Neighbour {
  /** Names on npm; the table tells their versions. None for a program or a protocol. */
  readonly packages: readonly string[]
  /** What is not told by the packages: where they stand, or what it is that is no package. */
  readonly how?: string
  /** What somebody who has both should know. Markdown. */
  readonly note: string
  /** Builds it for one application. */
  arrange(place: Place): Arrangement | Promise<Arrangement>
}

/** Where a neighbour is to be built. */
export interface Place {
  readonly t: ExecutionContext
  readonly Koa: typeof Koa
  readonly hub: Hub
}

/** An application around a stream. The stream is at `/events`, a long page at `/page`. */
export interface Arrangement {
  /** Where both are mounted. By default a new one. */
  readonly app?: Koa
  /** Middleware in front of the stream, outermost first. */
  readonly before?: readonly Middleware[]
  /** Middleware between the stream and the page: the stream answers before it. */
  readonly after?: readonly Middleware[]
  /** Puts the application, once it is whole, into another. */
  readonly inside?: (app: Koa) => Koa
  /** Where that other application has it, such as `/push`. */
  readonly prefix?: string
  /** Default: the header `x-user`, which says `ann`. */
  readonly authenticate?: Authenticator
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>>
  /** A path to visit first, for a cookie. */
  readonly login?: string
  /** By default HTTP/1.1 straight from the application. */
  readonly serve?: (app: Koa) => Promise<Door>
  /** Asserts that the neighbour is there and does its part: without that a cell would say nothing. */
  proves(site: Site): void | Promise<void>
}

/** A way into a site. */
export interface Door {
  readonly url: string
  /** By default over HTTP/1.1, with the visitor's cookies. */
  readonly open?: (path: string, headers: Record<string, string>) => Promise<ReceivedStream>
}

/** A running site with a stream and its neighbour, as its only visitor sees it. */
export interface Site {
  readonly t: ExecutionContext
  readonly hub: Hub
  /** What reached the application's `error` event and is no answer to the client. */
  readonly errors: readonly unknown[]
  /** Whose streams were opened. */
  readonly identities: readonly (string | undefined)[]
  /** What the stream's first response said. */
  readonly first: ReceivedStream
  /** Asks for the stream; resolves at the headers. */
  open(headers?: Record<string, string>): Promise<ReceivedStream>
  /** Asks for anything else. */
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** Waits until no stream is left. */
  isEmpty(): Promise<void>
}
