import { setTimeout } from 'node:timers/promises'
import { PATIENCE } from './progress.ts'

// Asking takes time from whom is waited for.
const PERIOD = 5

/** Waits until something is so that announces itself nowhere, looking every now and then; rejects when patience ends. */
export async function eventually(isSo: () => boolean | Promise<boolean>, describe: () => string): Promise<void> {
  const waiting = new AbortController()
  const patience = setTimeout(PATIENCE, undefined, { signal: waiting.signal }).then(() => {
    throw new Error(`${describe()} (waited ${PATIENCE} ms)`)
  })
  // Who is asked may never answer, either.
  const look = async () => {
    while (!(await isSo())) await setTimeout(PERIOD, undefined, { signal: waiting.signal })
  }
  try {
    await Promise.race([look(), patience])
  } finally {
    waiting.abort()
  }
}
