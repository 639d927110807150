/** One line without terminal control characters, whatever a server sends. JSON stays valid, with the same value. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
