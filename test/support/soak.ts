/** `npm run test:soak` repeats what has to hold for long as often as is worth a night; `npm test` a tenth as often. */
export function rounds(full: number): number {
  return process.env.SOAK === undefined ? full / 10 : full
}
