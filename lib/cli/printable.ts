/** One line, which does nothing to a terminal, whatever a server sends. JSON stays JSON of the same value. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
