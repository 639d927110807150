#!/usr/bin/env node
import { readCommandLine, USAGE, UsageError } from './command-line.ts'
import { runDoctor } from './doctor/run.ts'
import { runTail } from './tail.ts'

try {
  const command = readCommandLine(process.argv.slice(2))
  if (command.name === 'help') process.stdout.write(USAGE)
  else process.exitCode = await (command.name === 'doctor' ? runDoctor(command) : runTail(command))
} catch (error) {
  process.exitCode = 2
  if (error instanceof UsageError) process.stderr.write(`${error.message}\n\n${USAGE}`)
  else process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
}
