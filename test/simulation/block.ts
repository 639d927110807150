/** What a client makes of a block. */
export interface Block {
  readonly event: string
  readonly data: string
  readonly id: string | undefined
  /** Lines that are in no block of ours. */
  readonly junk: readonly string[]
}

/** Reads a block, up to the blank line that ends it. */
export function readBlock(text: string): Block {
  const junk: string[] = []
  let [event, data, id]: [string, string, string | undefined] = ['message', '', undefined]
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from)
    if (text.startsWith('data: ', from)) data += text.slice(from + 'data: '.length, end)
    else if (text.startsWith('event: ', from)) event = text.slice(from + 'event: '.length, end)
    else if (text.startsWith('id: ', from)) id = text.slice(from + 'id: '.length, end)
    else if (!text.startsWith(': ', from) && !text.startsWith('retry: ', from)) junk.push(text.slice(from, end))
    from = end + 1
  }
  return { event, data, id, junk }
}
