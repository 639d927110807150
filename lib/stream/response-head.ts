/**
 * Has V8 lay the head of a response out in one piece, by reading a character: Node puts it together from thirty pieces of
 * text, and keeps them all for as long as the response lives. Node's property is private. Where it is missing, nothing is
 * done, and more memory is kept.
 */
export function flattenHead(response: object): void {
  if ('_header' in response && typeof response._header === 'string') response._header.charCodeAt(0)
}
