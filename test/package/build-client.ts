import { build } from 'esbuild'
import { CLIENT_BUNDLE } from './client-bundle.ts'

await build({
  ...CLIENT_BUNDLE,
  outfile: 'dist/client/index.js',
  allowOverwrite: true,
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
})
