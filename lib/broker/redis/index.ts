/**
 * Many processes share one log in Redis; workers and other services publish into it.
 *
 * @module koa-event-stream/redis
 */
import type { Broker } from '../broker.ts'
import { RedisBroker } from './redis-broker.ts'
import { checkRedisOptions, type RedisBrokerOptions } from './options.ts'

export { bridgeStream, type Bridge, type BridgedEvent, type BridgeOptions } from '../../bridge/bridge.ts'
export type { ClientOrUrl, RedisClient } from './client.ts'
export type { StreamEntry } from '../../bridge/group-reader.ts'
export type { RedisBrokerOptions } from './options.ts'
export { createPublisher, type Publisher, type PublisherOptions } from './publisher.ts'

/**
 * The engine for many processes, on ioredis 5 or 6: a single Redis 6.2 or newer, Sentinels, or a Cluster of Redis 7.
 *
 * The process starts even if Redis is unavailable; `hub.ready` is false until it is connected.
 *
 * @throws {TypeError} for an invalid option
 */
export function redisBroker(options: RedisBrokerOptions): Broker {
  return new RedisBroker(checkRedisOptions('redisBroker', options))
}
