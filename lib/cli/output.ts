import { printable } from './printable.ts'

/** How a command ends that cannot print. */
export interface OutputCodes {
  /** The exit code if the reader of the output has gone, as `| head` does. */
  readonly unread: number
  /** The exit code if writing fails otherwise: the disk is full. */
  readonly failed: number
}

/** Prints a message as one line on stderr. */
export function say(text: string): void {
  process.stderr.write(`${printable(text)}\n`)
}

/** Drops messages that cannot be written: a command does the same, and ends with the same exit code, as if they were read. */
export function ignoreStderrErrors(): void {
  process.stderr.on('error', () => {})
}

/** Ends the process once its output cannot be written: whatever else it does is for nobody. */
export function endOnStdoutError({ unread, failed }: OutputCodes): void {
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') process.exit(unread)
    say(`the output cannot be written: ${code ?? message}`)
    process.exit(failed)
  })
}
