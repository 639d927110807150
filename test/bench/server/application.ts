import type { Server } from 'node:net'

/** What a contender that runs in Node is made with. */
export interface ApplicationOptions {
  /** Milliseconds between comments that keep connections alive; none without. */
  readonly heartbeat?: number
  /** Where Redis is, for those that use it. */
  readonly redis?: string
}

/** A contender that runs in Node. Streams are at `/events/<topic>,<topic>…`. */
export interface Application {
  readonly server: Server
  publish(topic: string, data: string): unknown
  /** Drains within so many milliseconds and closes everything, for the end of the process. */
  shutdown?(within: number): Promise<void>
  /** The header lines that make client number `i` somebody, each with its CR LF. */
  credentials?(i: number): string
}

export const HEADERS = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' }
export const COMMENT = ':\n\n'

/** The topics that a URL asks for. */
export function topicsOf(url: string): string[] {
  return url.slice('/events/'.length).split(',')
}
