import type { BuildOptions } from 'esbuild'

// Names that only the client's own parts call each other by: no page sees them, and no object of the platform, or of the
// server's JSON, has a property of that name which the client uses.
const INSIDE = [
  'after',
  'allow',
  'askFor',
  'at',
  'base',
  'began',
  'block',
  'chance',
  'changed',
  'clear',
  'end',
  'ended',
  'failed',
  'hasId',
  'hasten',
  'hold',
  'include',
  'isFresh',
  'isFull',
  'isGet',
  'iterator',
  'lastId',
  'later',
  'listen',
  'look',
  'message',
  'onWake',
  'opened',
  'pause',
  'release',
  'report',
  'resume',
  'room',
  'run',
  'sign',
  'skip',
  'Source',
  'start',
  'stop',
  'take',
]

/** How the client becomes the one file that a page loads. */
export const CLIENT_BUNDLE = {
  // Of the folder that npm and ava run in.
  entryPoints: ['lib/client/index.ts'],
  bundle: true,
  minify: true,
  mangleProps: new RegExp(`^(${INSIDE.join('|')})$`),
  format: 'esm',
  target: 'es2022',
} satisfies BuildOptions
