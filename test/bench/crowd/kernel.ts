import { readFileSync } from 'node:fs'

const PAGE = 4_096
const TICK = 10_000

export interface KernelMemory {
  /** Bytes of the kernel's own objects: sockets, files, what epoll watches. */
  readonly objects: number
  /** Bytes of what waits in buffers of TCP. */
  readonly buffers: number
}

/** What the kernel of this machine holds, for whomever. */
export function kernelMemory(): KernelMemory {
  const objects = Number(/^Slab:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]) * 1_024
  const buffers = Number(/^TCP: .* mem (\d+)$/m.exec(readFileSync('/proc/net/sockstat', 'latin1'))?.[1]) * PAGE
  return { objects, buffers }
}

/** CPU time that all cores of the machine have been busy for, whoever it was, in microseconds. */
export function busyTime(): number {
  const line = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? ''
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line.split(' ').map(Number)
  return (user + nice + system + irq + softirq) * TICK
}

/** The most packets that may wait for a core on their way through the loopback; those beyond are dropped. */
export function packetsThatMayWait(): number {
  return Number(readFileSync('/proc/sys/net/core/netdev_max_backlog', 'latin1'))
}

/** How many packets all cores have dropped for that reason. */
export function packetsDropped(): number {
  const lines = readFileSync('/proc/net/softnet_stat', 'latin1').trim().split('\n')
  return lines.reduce((sum, line) => sum + parseInt(line.split(' ')[1] ?? '', 16), 0)
}
