import { isIPv6 } from 'node:net'

/**
 * The network that streams are counted by: an IPv4 address, or the /64 of an IPv6 address, since every subscriber has
 * the whole of one (RFC 6177).
 */
export function networkOf(ip: string): string {
  if (!ip.includes(':')) return ip
  const mapped = ip.startsWith('::ffff:') && ip.includes('.')
  if (mapped) return ip.slice('::ffff:'.length)
  if (!isIPv6(ip)) return ip
  const [head = '', tail] = (ip.split('%')[0] ?? '').split('::')
  const front = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const back = tail === '' ? 0 : tail.split(':').length
    while (front.length < 8 - back) front.push('0')
  }
  const network = front.slice(0, 4).map(group => Number.parseInt(group, 16).toString(16))
  return `${network.join(':')}::/64`
}
