const HIDDEN = '[hidden]'
// What is shorter is no secret, and hiding it would hide half of the message.
const SHORTEST_SECRET = 4
// Characters. Nothing behind that is told, so that of a longer secret its beginning is enough.
const LONGEST_TEXT = 4_096
// More than the header of a request has room for, unless Node is told otherwise.
const MOST_SECRETS = 3_000

/**
 * Hides secrets in texts. Each text is read once, and what stands in place of a secret is not read again: a client chooses
 * the words that are secret. It takes time and room in proportion to the text, of which at most 4,096 characters are told.
 */
export class Redaction {
  readonly #secrets: readonly string[]
  readonly #areTooMany: boolean

  /** @param secrets what is known to be secret; those of less than 4 characters count for nothing */
  constructor(secrets: readonly (string | undefined)[]) {
    const known = new Set<string>()
    for (const secret of secrets) {
      // A part of what is put in would tell of nothing.
      if (secret === undefined || secret.length < SHORTEST_SECRET || HIDDEN.includes(secret)) continue
      known.add(secret.slice(0, LONGEST_TEXT))
    }
    this.#areTooMany = known.size > MOST_SECRETS
    // The longest first, since one may be a part of another.
    this.#secrets = [...known].sort((a, b) => b.length - a.length)
  }

  /** A text without the secrets that are known, and without words that look like a key or a token. */
  message(text: string): string {
    return this.#hide(text, withoutOpaque)
  }

  /** A text without the secrets that are known. */
  known(text: string): string {
    return this.#hide(text, words => words)
  }

  /** Whether nothing would be hidden of a text. */
  passes(text: string): boolean {
    return this.message(text) === text
  }

  #hide(text: string, rest: (words: string) => string): string {
    // Nobody can say what is secret: nothing is told.
    if (this.#areTooMany) return HIDDEN
    let safer = ''
    let end = 0
    for (const { start, length } of this.#find(text)) {
      // Secrets that overlap are one.
      if (start >= end) safer += `${rest(text.slice(end, start))}${HIDDEN}`
      end = Math.max(end, start + length)
    }
    if (text.length <= LONGEST_TEXT) safer += rest(text.slice(end))
    // The last word may be the beginning of one that looks like a key.
    else safer += `${rest(text.slice(end, LONGEST_TEXT).replace(/[\w=~-]+$/, ''))}…`
    // A secret may look as if it came to be of what was put in and the words around it.
    return safer !== text && this.#secrets.some(secret => safer.includes(secret)) ? HIDDEN : safer
  }

  /** The longest secret at each place in the part of a text that is told, in their order. */
  *#find(text: string): Generator<{ readonly start: number; readonly length: number }> {
    const read = text.slice(0, 2 * LONGEST_TEXT)
    const found = this.#secrets.filter(secret => read.includes(secret))
    if (found.length === 0) return
    // Looks ahead only, so that none is missed which begins in another.
    for (const { index, 1: secret = '' } of read.matchAll(new RegExp(`(?=(${found.map(escaped).join('|')}))`, 'g'))) {
      if (index >= LONGEST_TEXT) return
      yield { start: index, length: secret.length }
    }
  }
}

function escaped(secret: string): string {
  return secret.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

function withoutOpaque(text: string): string {
  return text.replace(/[\w=~-]{8,}/g, word => (isOpaque(word) ? HIDDEN : word))
}

/** Whether a word looks made by a machine: with digits, a part of a JWT, or long and in both cases. */
function isOpaque(word: string): boolean {
  return /\d|^eyJ/.test(word) || (word.length >= 20 && /[a-z]/.test(word) && /[A-Z]/.test(word))
}
