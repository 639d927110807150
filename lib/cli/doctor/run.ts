import type { DoctorCommand } from '../command-line.ts'
import { placeOf } from '../login.ts'
import { printable } from '../printable.ts'
import { checkAnswer } from './checks/answer.ts'
import { checkCors } from './checks/cors.ts'
import { checkCaching, checkCompression, checkHttp } from './checks/headers.ts'
import { checkIdle } from './checks/idle.ts'
import { checkLastEventId, checkResume } from './checks/resume.ts'
import type { Finding } from './finding.ts'
import { subjectOf, type Subject } from './subject.ts'

// Sequential: each check opens streams, and an identity may have only a few. The slowest is last.
const CHECKS: readonly ((subject: Subject) => Promise<Finding[]>)[] = [
  checkCompression,
  checkCaching,
  checkHttp,
  checkLastEventId,
  checkResume,
  checkCors,
  checkIdle,
]

/** Examines a stream and prints the findings; returns the exit code: 1 if there is a problem. */
export async function runDoctor(command: DoctorCommand): Promise<number> {
  const { url, json } = command
  const findings: Finding[] = []
  const tell = (found: readonly Finding[]): void => {
    findings.push(...found)
    if (!json) for (const finding of found) process.stdout.write(lineOf(finding))
  }
  if (!json) process.stdout.write(`${placeOf(url)}\n`)
  const subject = subjectOf(url, command, command)
  const { findings: answer, isStream } = await checkAnswer(subject)
  tell(answer)
  if (isStream) for (const check of CHECKS) tell(await check(subject))
  if (json) process.stdout.write(`${printable(JSON.stringify({ url: placeOf(url), findings }))}\n`)
  return findings.some(({ level }) => level === 'problem') ? 1 : 0
}

function lineOf({ level, check, seen, cure }: Finding): string {
  const line = `${level.padEnd(8)} ${check.padEnd(14)} ${printable(seen)}\n`
  return cure === undefined ? line : `${line}${' '.repeat(24)}→ ${cure}\n`
}
