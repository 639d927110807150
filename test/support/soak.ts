/** `npm run test:soak` repeats what has to hold for long as often as is worth a night; `npm test` a fifth as often. */
export function rounds(full: number): number {
  return process.env.SOAK === undefined ? full / 5 : full
}
