import { basename } from 'node:path'
import { build, type BuildOptions } from 'esbuild'
import { minify } from 'terser'

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

/** How the client becomes the one file that a page loads, and another one for pages that share. */
const BUNDLE = {
  // Of the folder that npm and ava run in. Together, so that both call the other's parts by the same short names.
  entryPoints: ['lib/client/index.ts', 'lib/client/share.ts'],
  plugins: [
    {
      name: 'on demand',
      setup(build) {
        build.onResolve({ filter: /^\.\/share\.ts$/ }, () => ({ path: './share.js', external: true }))
      },
    },
  ],
  bundle: true,
  minify: true,
  mangleProps: new RegExp(`^(${INSIDE.join('|')})$`),
  format: 'esm',
  target: 'es2022',
  outdir: 'dist/client',
  sourcemap: 'external',
  sourcesContent: false,
  logLevel: 'warning',
  write: false,
} satisfies BuildOptions

/** A file of the client, as a page loads it. */
export interface ClientFile {
  /** `index.js` or `share.js`. */
  readonly name: string
  readonly code: string
  /** Its source map, as JSON. */
  readonly map: string
}

/** The client as the build makes it. */
export async function bundleClient(): Promise<ClientFile[]> {
  const { outputFiles } = await build(BUNDLE)
  const text = (name: string): string => outputFiles.find(({ path }) => basename(path) === name)?.text ?? ''
  return Promise.all(
    ['index.js', 'share.js'].map(async name => {
      // What esbuild leaves is 3% more than a page needs.
      const { code = '', map } = await minify(text(name), {
        module: true,
        ecma: 2020,
        compress: { passes: 3 },
        sourceMap: { content: text(`${name}.map`), url: `${name}.map` },
      })
      return { name, code, map: String(map) }
    }),
  )
}
