/**
 * Is told of each block of an event stream.
 *
 * @param event `message` where the block names none
 * @param data `undefined` for a block that has an id and nothing else: it is no event, but moves the cursor
 * @param id of this block; `undefined` where it has none
 */
export type BlockListener = (event: string, data: string | undefined, id: string | undefined) => void

/**
 * Reads the text of an event stream, however it is cut into pieces (WHATWG HTML, section 9.2.6). A block that has no end
 * is never told. The byte order mark is left to the decoder.
 *
 * @param onRetry is told how long to wait before a reconnect, in milliseconds
 * @returns a function that takes the next piece
 */
export function createParser(onBlock: BlockListener, onRetry: (ms: number) => void): (piece: string) => void {
  // The line that has begun.
  let begun = ''
  let isAfterCr = false
  let event = ''
  let data: string | undefined
  let id: string | undefined

  const take = (line: string): void => {
    if (!line) {
      if ((data ?? id) !== undefined) onBlock(event || 'message', data, id)
      event = ''
      data = id = undefined
      return
    }
    const [, field, value = ''] = /^([^:]*):? ?(.*)/s.exec(line) ?? []
    if (field === 'data') data = data === undefined ? value : data + '\n' + value
    if (field === 'event') event = value
    if (field === 'id' && !value.includes('\0')) id = value
    if (field === 'retry' && /^\d+$/.test(value)) onRetry(Number(value))
  }

  return piece => {
    if (!piece) return
    // Only the new piece is searched: a line of megabytes comes in many.
    const lines = piece.slice(isAfterCr && piece.startsWith('\n') ? 1 : 0).split(/\r\n?|\n/)
    isAfterCr = piece.endsWith('\r')
    const rest = lines.pop() ?? ''
    for (const line of lines) {
      take(begun + line)
      begun = ''
    }
    begun += rest
  }
}
