/**
 * What something adds to the CPU of a delivery, in one process, in blocks with it and without in turn:
 * `npm run bench:pairs -- metrics|compression-json|compression-html|compression-tokens [pairs]`, 60 pairs unless told otherwise.
 */
import { compressionCost } from './compression.ts'
import { metricsCost } from './metrics.ts'
import type { Difference } from './pairs.ts'

const STREAMS = [10, 50, 200, 2_000]

const [what = '', pairs = '60'] = process.argv.slice(2)
const kind = (['json', 'html', 'tokens'] as const).find(known => what === `compression-${known}`)
if (what === 'metrics') print('metrics, 2,000 streams', await metricsCost(Number(pairs)))
else if (kind === undefined) throw new TypeError('what is measured is metrics or compression-json, -html, -tokens')
else {
  for (const streams of STREAMS)
    print(`${what}, ${streams} streams`, await compressionCost(kind, streams, Number(pairs)))
}

function print(title: string, { without, more, error }: Difference): void {
  const percent = (part: number) => `${(part * 100).toFixed(2)} %`
  console.log(
    `${title}: ${without.toFixed(2)} µs a delivery without, ${percent(more)} more with (standard error ${percent(error)})`,
  )
}
