import type { Random } from '../support/random.ts'
import type { Instance } from './instance.ts'
import { LONELY_TOPIC, TOPICS } from './kept.ts'
import { UNVERIFIABLE_BOUND } from './visit.ts'
import type { World } from './world.ts'

type Fault = (world: World, random: Random) => void

function victim(world: World, random: Random): Instance {
  return random.pick(world.instances)
}

// Mostly short; sometimes for longer than history reaches back.
function duration(random: Random): number {
  return random.chance(0.12) ? 3_000 + random.next() * 4_000 : 20 + random.next() ** 2 * 2_000
}

/** What can go wrong in a world. Each fault passes: after a while everything is as it was, but for what is lost. */
export const FAULTS = {
  'cut connections': (world, random) => {
    victim(world, random).line.cut()
  },
  'cut a line': (world, random) => {
    const { line } = victim(world, random)
    line.cutUntil = world.troubled(duration(random))
    line.cut()
  },
  'hold a line': (world, random) => {
    victim(world, random).line.heldUntil = world.troubled(duration(random))
  },
  'slow a line': (world, random) => {
    const { line } = victim(world, random)
    line.slowness = 20 + random.next() * 800
    line.slowUntil = world.troubled(duration(random))
  },
  'meet a stale server': (world, random) => {
    const { line } = victim(world, random)
    world.service.lagUntil = world.troubled(duration(random))
    line.isStale = true
    world.ledger.isBehind = true
    line.cut(random.chance(0.5) ? undefined : () => random.chance(0.5))
  },
  'let the follower lag': (world, random) => {
    world.service.lag = random.next() ** 2 * 800
  },
  'fail over': (world, random) => {
    const { service, instances } = world
    service.failOver()
    service.downUntil = world.troubled(random.next() * 1_000)
    for (const { line } of instances) line.cut()
  },
  'lose events and fail over': (world, random) => {
    const { service, time, instances, clients } = world
    const wait = 100 + random.next() * 1_000
    // The follower gets nothing for a while, and then takes over.
    service.lagUntil = time.now + 60_000
    world.troubled(wait)
    time.after(wait, () => {
      service.failOver()
      service.lagUntil = 0
      service.downUntil = world.troubled(random.next() * 1_000)
      for (const { line } of instances) line.cut()
      for (const client of clients) if (random.chance(0.2)) client.cut()
    })
  },
  'lose what only its publisher knows': (world, random) => {
    const { service, time, instances } = world
    const publisher = victim(world, random)
    const wait = 20 + random.next() * 40
    service.lagUntil = time.now + 60_000
    world.troubled(wait)
    // The others hear nothing of it.
    for (const { line } of instances) line.heldUntil = time.now + wait
    publisher.line.heldUntil = 0
    publisher.process.run(() => world.publish(publisher, [LONELY_TOPIC], 10))
    time.after(wait, () => {
      service.failOver()
      service.lagUntil = 0
      for (const { line } of instances) line.cut()
    })
  },
  'flush the log': (world, random) => {
    const { service, instances } = world
    service.flush()
    if (random.chance(0.5)) return
    service.downUntil = world.troubled(random.next() * 2_000)
    for (const { line } of instances) line.cut()
  },
  'evict a topic': ({ service }, random) => {
    service.evict(random.pick(TOPICS), random.chance(0.5))
  },
  'restart the log': (world, random) => {
    const { service, instances } = world
    service.downUntil = world.troubled(duration(random))
    for (const { line } of instances) line.cut()
  },
  'fill the log': (world, random) => {
    const { primary } = world.service
    primary.isFull = true
    const ms = duration(random)
    world.troubled(ms)
    world.time.after(ms, () => {
      primary.isFull = false
    })
  },
  'step the log’s clock': ({ service, ledger }, random) => {
    const step = Math.floor(random.next() * 2_000 - 1_000)
    ledger.stepped(Math.abs(step))
    random.pick([service.primary, service.follower]).offset += step
  },
  'step a clock': (world, random) => {
    victim(world, random).process.stepClock((random.next() - 0.5) * 7_200_000)
  },
  'freeze an instance': (world, random) => {
    const ms = duration(random)
    world.troubled(ms)
    victim(world, random).process.freeze(ms)
  },
  'crash an instance': (world, random) => {
    const instance = victim(world, random)
    instance.crash()
    world.restart(instance)
  },
  'drain an instance': (world, random) => {
    const instance = victim(world, random)
    if (instance.hub.draining) return
    world.troubled(2_500)
    void instance.hub
      .drain({ within: 2_000 })
      .then(() => instance.hub.close())
      .then(() => {
        if (!world.instances.includes(instance)) return
        instance.crash()
        world.restart(instance)
      })
  },
  'stop the session store': (world, random) => {
    const { logins, time } = world
    const since = time.now
    const ms = random.chance(0.4) ? UNVERIFIABLE_BOUND + 100 : duration(random)
    // Another such fault may have begun before.
    logins.downUntil = Math.max(logins.downUntil, world.troubled(ms))
    if (ms > UNVERIFIABLE_BOUND) time.after(UNVERIFIABLE_BOUND, () => world.expectUnverifiable(since))
  },
} satisfies Readonly<Record<string, Fault>>

export type FaultName = keyof typeof FAULTS

export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[]
