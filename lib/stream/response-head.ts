/**
 * Flattens the head of a response by reading one character: Node concatenates it from about thirty strings, which V8
 * would keep as long as the response. Node's property is private. If it is missing nothing happens, and more memory is
 * used.
 */
export function flattenHead(response: object): void {
  if ('_header' in response && typeof response._header === 'string') response._header.charCodeAt(0)
}
