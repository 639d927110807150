import test from 'node:test'
import { CASES } from './cases.ts'

for (const [title, body] of Object.entries(CASES)) void test(title, body)
