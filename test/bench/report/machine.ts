import { availableParallelism, cpus, release, totalmem, type } from 'node:os'

/** What a run depends on. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  /** GiB. */
  readonly memory: number
  readonly node: string
  readonly kernel: string
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    kernel: `${type()} ${release()}`,
  }
}

export function describeMachine({ cpu, cores, memory, node, kernel }: Machine): string {
  return `${cpu}, ${cores} cores, ${memory} GiB, Node ${node}, ${kernel}`
}
