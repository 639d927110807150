/**
 * Called for each block of an event stream.
 *
 * @param event `message` if the block has no name
 * @param data `undefined` for a block that has only an id: it is not an event, but moves the cursor
 * @param id of this block; `undefined` if it has none
 */
export type BlockListener = (event: string, data: string | undefined, id: string | undefined) => void

/**
 * Parses the text of an event stream, split into pieces anywhere (WHATWG HTML, section 9.2.6). An incomplete block is
 * never delivered. The decoder must remove the byte order mark.
 *
 * @param onRetry called with the reconnection delay in milliseconds
 * @returns a function that takes the next piece
 */
export function createParser(onBlock: BlockListener, onRetry: (ms: number) => void): (piece: string) => void {
  // The incomplete line.
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
    // Only the new piece is searched: a line of megabytes arrives in many.
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
