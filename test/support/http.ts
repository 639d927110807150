export { openHttp2Stream, openStream, type OpenOptions } from './event-client.ts'
export { raw, type RawSocket } from './raw-socket.ts'
export { type Ending, type Received, type ReceivedStream } from './received-stream.ts'
export { serve, serveHttp2, serveTls, type Served } from './server.ts'
