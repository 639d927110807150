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
  'drop',
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
  'page',
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

/** How a file of the client is made. */
const BUNDLE = {
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
  /** `index.js`, which is all that most pages load, `share.js` or `subscriptions.js`. */
  readonly name: string
  readonly code: string
  /** Its source map, as JSON. */
  readonly map: string
}

/** The client as the build makes it. */
export async function bundleClient(): Promise<ClientFile[]> {
  // Both call each other's parts by the same short names.
  let mangleCache: Record<string, string | false> = {}
  const files: ClientFile[] = []
  for (const part of ['index', 'share', 'subscriptions']) {
    const name = `${part}.js`
    // Of the folder that npm and ava run in.
    const bundled = await build({ ...BUNDLE, entryPoints: [`lib/client/${part}.ts`], mangleCache })
    mangleCache = bundled.mangleCache
    const text = (name: string): string => bundled.outputFiles.find(({ path }) => basename(path) === name)?.text ?? ''
    // What esbuild leaves is 3% more than a page needs.
    const { code = '', map } = await minify(text(name), {
      module: true,
      ecma: 2020,
      compress: { passes: 3, hoist_vars: true },
      sourceMap: { content: text(`${name}.map`), url: `${name}.map` },
    })
    files.push({ name, code, map: typeof map === 'string' ? map : '' })
  }
  return files
}
