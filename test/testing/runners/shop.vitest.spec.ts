import { test } from 'vitest'
import { CASES } from './cases.ts'

for (const [title, body] of Object.entries(CASES)) test(title, { timeout: 120_000 }, body)
