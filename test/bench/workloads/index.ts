import type { Workload } from '../workload.ts'
import { burst } from './burst.ts'
import { compression } from './compression.ts'
import { crowd } from './crowd.ts'
import { idle } from './idle.ts'
import { HOLDERS } from './line-ups.ts'
import { opening } from './opening.ts'
import { processes } from './processes.ts'
import { protocols } from './protocols.ts'
import { reconnect } from './reconnect.ts'
import { slow } from './slow.ts'
import { steady } from './steady.ts'
import { topics } from './topics.ts'

/** All workloads, in the order in which they run. */
export const workloads: readonly Workload[] = [
  steady,
  burst,
  topics,
  idle('idle', 5_000, HOLDERS),
  idle('idle-many', 15_000, HOLDERS),
  opening,
  reconnect,
  slow,
  processes,
  protocols,
  compression('json', 'Quotes of 141 bytes as JSON'),
  compression('html', 'Rows of a table, 2 kB of HTML'),
  compression('tokens', 'Tokens of 64 bytes'),
  crowd,
]
