import { test } from '@jest/globals'
import { CASES } from './cases.ts'

for (const [title, body] of Object.entries(CASES)) test(title, body, 120_000)
