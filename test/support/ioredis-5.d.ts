declare module 'ioredis-5' {
  export { Cluster, Redis } from 'ioredis'
}
