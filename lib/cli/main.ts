#!/usr/bin/env node
import { readCommandLine, USAGE, UsageError, type Command } from './command-line.ts'
import { runDoctor } from './doctor/run.ts'
import { endOnStdoutError, ignoreStderrErrors, type OutputCodes } from './output.ts'
import { runTail } from './tail.ts'

const OUTPUT_CODES: Readonly<Record<Command['name'], OutputCodes>> = {
  help: { unread: 0, failed: 2 },
  // An examination that nobody saw the end of has found neither a problem nor none.
  doctor: { unread: 2, failed: 2 },
  tail: { unread: 0, failed: 1 },
}

ignoreStderrErrors()
try {
  const command = readCommandLine(process.argv.slice(2))
  endOnStdoutError(OUTPUT_CODES[command.name])
  if (command.name === 'help') process.stdout.write(USAGE)
  else process.exitCode = await (command.name === 'doctor' ? runDoctor(command) : runTail(command))
} catch (error) {
  process.exitCode = 2
  if (error instanceof UsageError) process.stderr.write(`${error.message}\n\n${USAGE}`)
  else process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
}
