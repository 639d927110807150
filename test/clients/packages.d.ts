// Packages that come without types: what is used of them here.

interface EventSourceLike {
  readonly readyState: number
  addEventListener(name: string, listener: () => void): void
  close(): void
}

declare module 'eventsource-2' {
  const Source: new (url: string) => EventSourceLike
  export default Source
}

declare module 'launchdarkly-eventsource' {
  export const EventSource: new (url: string) => EventSourceLike
}
