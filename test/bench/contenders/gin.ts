import type { Contender } from './contender.ts'

export const gin: Contender = {
  name: 'gin',
  title: 'Gin (Go)',
  missing: () => 'not written yet',
  start: () => Promise.reject(new Error('not written yet')),
}
