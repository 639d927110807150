import { setTimeout } from 'node:timers/promises'
import { PATIENCE } from './progress.ts'

const PERIOD = 2

/** Waits until something is so that announces itself nowhere, looking every now and then; rejects when patience ends. */
export async function eventually(isSo: () => boolean | Promise<boolean>, describe: () => string): Promise<void> {
  const end = performance.now() + PATIENCE
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`${describe()} (waited ${PATIENCE} ms)`)
    await setTimeout(PERIOD)
  }
}
