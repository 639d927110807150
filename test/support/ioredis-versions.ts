import * as ioredis6 from 'ioredis'
import * as ioredis5 from 'ioredis-5'

export type Ioredis = Pick<typeof ioredis6, 'Cluster' | 'Redis'>

/** Every version of ioredis that the package supports, by the name for test titles. */
export const ioredisVersions: readonly (readonly [name: string, ioredis: Ioredis])[] = [
  ['ioredis 5', ioredis5],
  ['ioredis 6', ioredis6],
]
