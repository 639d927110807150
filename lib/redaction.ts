const HIDDEN = '[hidden]'
// Shorter texts are no secrets, and hiding them would hide half of the message.
const SHORTEST_SECRET = 4
// Characters. The rest of a text is cut, so the first characters of a longer secret suffice.
const LONGEST_TEXT = 4_096
// More than fit into the headers of a request at Node's default limit.
const MOST_SECRETS = 3_000

/**
 * Redacts secrets in texts. Each text is scanned once and the replacements are not scanned again, since a client
 * chooses the words that are secret. Linear in the length of the text, of which at most 4,096 characters are kept.
 */
export class Redaction {
  readonly #secrets: readonly string[]
  readonly #areTooMany: boolean

  /** @param secrets the known secrets; those shorter than 4 characters are ignored */
  constructor(secrets: readonly (string | undefined)[]) {
    const known = new Set<string>()
    for (const secret of secrets) {
      // A substring of the replacement itself reveals nothing.
      if (secret === undefined || secret.length < SHORTEST_SECRET || HIDDEN.includes(secret)) continue
      known.add(secret.slice(0, LONGEST_TEXT))
    }
    this.#areTooMany = known.size > MOST_SECRETS
    // Longest first, since one may contain another.
    this.#secrets = [...known].sort((a, b) => b.length - a.length)
  }

  /** The text without the known secrets and without words that look like keys or tokens. */
  message(text: string): string {
    return this.#hide(text, withoutOpaque)
  }

  /** The text without the known secrets. */
  known(text: string): string {
    return this.#hide(text, words => words)
  }

  /** Whether the text needs no redaction. */
  passes(text: string): boolean {
    return this.message(text) === text
  }

  #hide(text: string, rest: (words: string) => string): string {
    // Too many to check: hide everything.
    if (this.#areTooMany) return HIDDEN
    let safer = ''
    let end = 0
    for (const { start, length } of this.#find(text)) {
      // Merge overlapping secrets.
      if (start >= end) safer += `${rest(text.slice(end, start))}${HIDDEN}`
      end = Math.max(end, start + length)
    }
    if (text.length <= LONGEST_TEXT) safer += rest(text.slice(end))
    // The last, cut word may be the start of a key.
    else safer += `${rest(text.slice(end, LONGEST_TEXT).replace(/[\w=~-]+$/, ''))}…`
    // The replacement and its neighbours may form a secret together.
    return safer !== text && this.#secrets.some(secret => safer.includes(secret)) ? HIDDEN : safer
  }

  /** Finds the longest secret at each position of the kept part, in order. */
  *#find(text: string): Generator<{ readonly start: number; readonly length: number }> {
    const read = text.slice(0, 2 * LONGEST_TEXT)
    const found = this.#secrets.filter(secret => read.includes(secret))
    if (found.length === 0) return
    // A lookahead also finds a secret that begins inside another.
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

/** Whether a word looks machine-made: with digits, part of a JWT, or long and in mixed case. */
function isOpaque(word: string): boolean {
  return /\d|^eyJ/.test(word) || (word.length >= 20 && /[a-z]/.test(word) && /[A-Z]/.test(word))
}
