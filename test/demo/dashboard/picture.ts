import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { launchChromium } from '../../support/chromium.ts'
import { ROOT } from '../../support/root.ts'
import type { Scope } from '../../support/scope.ts'
import type { Line, Panel } from './panels.ts'

/** Taken anew by `npm run screenshot:dashboard`. */
const PICTURE = join(ROOT, 'docs/dashboard.png')
const UPLOT = dirname(createRequire(import.meta.url).resolve('uplot'))

const STYLE = `
  body { margin: 0; background: #f4f5f5; font: 12px sans-serif; color: #222 }
  section { position: absolute; box-sizing: border-box }
  .timeseries { background: #fff; border: 1px solid #dcdcdc; border-radius: 2px; padding: 4px 5px }
  h2 { margin: 0; font-size: 12px; line-height: 18px; font-weight: 600 }
  .row h2 { font-size: 14px }
  p { text-align: center; color: #777; margin-top: 60px }
  ul { margin: 0; padding: 2px 8px; list-style: none; font-size: 11px; line-height: 15px }
  li { display: inline-block; margin-right: 14px }
  li::before { content: ''; display: inline-block; width: 12px; height: 4px; margin-right: 5px; vertical-align: 2px;
    border-radius: 1px; background: var(--color) }
`

/** Draws panels at their places, with uPlot in the place of Grafana, and takes a picture of them. */
export async function takePicture(
  scope: Scope,
  drawn: readonly { panel: Panel; lines: readonly Line[] }[],
): Promise<void> {
  const file = (path: string) => readFile(path, 'utf8')
  const panels = drawn.map(({ panel: { type, title, gridPos, fieldConfig }, lines }) => {
    const { unit, custom } = fieldConfig?.defaults ?? {}
    return { type, title, gridPos, unit, isStacked: custom?.stacking.mode === 'normal', lines }
  })
  const page = await (await launchChromium(scope)).newPage({ viewport: { width: 1_400, height: 900 } })
  await page.setContent(`<!doctype html><style>${await file(join(UPLOT, 'uPlot.min.css'))}${STYLE}</style><body>`)
  await page.addScriptTag({ content: await file(join(UPLOT, 'uPlot.iife.min.js')) })
  await page.addScriptTag({ content: `const panels = ${JSON.stringify(panels)}` })
  await page.addScriptTag({ content: await file(join(ROOT, 'test/demo/dashboard/page.js')) })
  await page.screenshot({ path: PICTURE, fullPage: true })
}
