import { isIPv4, isIPv6 } from 'node:net'

/**
 * The network by which streams are counted: an IPv4 address, or the /64 of an IPv6 address, since every subscriber has
 * a whole /64 (RFC 6177).
 *
 * An IPv4 client counts as the same however its address is written: with the port that some proxies add (RFC 7239,
 * section 6), mapped into IPv6 (RFC 4291, section 2.5.5.2) in either spelling, or behind NAT64 (RFC 6052, section 2.1).
 * Anything that is not an address is returned unchanged.
 *
 * Use it for limits of your own as well, such as on password attempts: counted by `ctx.ip`, a client gets one allowance
 * for each spelling.
 */
export function networkOf(ip: string): string {
  const address = withoutPort(ip.replaceAll('"', ''))
  if (!isIPv6(address)) return isIPv4(address) ? address : ip
  const groups = groupsOf(address)
  return embeddedIPv4(groups) ?? `${groups.slice(0, 4).map(hex).join(':')}::/64`
}

// `1.2.3.4:5678`, `[2001:db8::1]` or `[2001:db8::1]:5678`; and `::ffff:1.2.3.4:5678`, which is invalid, but sent by
// some proxies.
const PORTED = /^(?:\[([^\]]+)\](?::\d+)?|(?:::ffff:)?([\d.]+):\d+)$/i

function withoutPort(ip: string): string {
  const [, v6, v4] = PORTED.exec(ip) ?? []
  return v6 ?? (v4 !== undefined && isIPv4(v4) ? v4 : ip)
}

// All eight groups of a valid address.
function groupsOf(address: string): number[] {
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::')
  const front = parsed(head)
  if (tail === undefined) return front
  const back = parsed(tail)
  return [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back]
}

function parsed(part: string): number[] {
  return part === ''
    ? []
    : part.split(':').flatMap(group => (group.includes('.') ? pairOf(group) : parseInt(group, 16)))
}

// A trailing IPv4 address as two groups.
function pairOf(dotted: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number)
  return [a * 256 + b, c * 256 + d]
}

// `::ffff:0:0/96` is IPv4 mapped, `64:ff9b::/96` NAT64.
const PREFIXES = ['0:0:0:0:0:ffff', '64:ff9b:0:0:0:0']

function embeddedIPv4(groups: readonly number[]): string | undefined {
  if (!PREFIXES.includes(groups.slice(0, 6).map(hex).join(':'))) return undefined
  return groups
    .slice(6)
    .flatMap(group => [group >> 8, group & 255])
    .join('.')
}

function hex(group: number): string {
  return group.toString(16)
}
