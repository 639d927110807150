import test from 'ava'
import { Random, seedOf } from '../support/random.ts'
import { TabsWorld, type Tab } from './tabs.ts'

const RUNS = 40
const STEPS = 120

/** A tab, and what is to have been told in it once all is quiet. */
interface Watched {
  readonly tab: Tab
  readonly names: readonly string[]
  /** The number of the last event before those that are to be told. */
  since: number
  hasLeft: boolean
  isFrozen: boolean
}

/** Opens a tab, of a page that was rendered with its state, or that loads it. */
function open(world: TabsWorld, random: Random): Watched {
  const names = random.pick([['tick'], ['tick', 'tock']])
  const watched = { names, hasLeft: false, isFrozen: false, since: Math.max(0, world.top - random.between(0, 6)) }
  if (random.chance(0.5)) return { ...watched, tab: world.open({ since: `e-${watched.since}` }, names) }
  const tab = world.open(
    {
      load: () => {
        watched.since = world.top
        return { cursor: world.cursor }
      },
    },
    names,
  )
  return Object.assign(watched, { tab })
}

async function run(seed: number): Promise<string | undefined> {
  const random = new Random(seed)
  const world = new TabsWorld(random)
  let watched: Watched[] = []
  const done: string[] = []
  const any = (): Watched | undefined => (watched.length > 0 ? random.pick(watched) : undefined)
  const can = (): Watched | undefined => {
    const one = any()
    return one && !one.isFrozen && !one.hasLeft ? one : undefined
  }
  const actions: Record<string, () => void> = {
    publish: () => void world.publish(random.pick(['tick', 'tick', 'tock'])),
    publishes: () => {
      for (let n = random.between(2, 6); n > 0; n -= 1) world.publish(random.pick(['tick', 'tock']))
    },
    open: () => {
      if (watched.length < 7) watched.push(open(world, random))
    },
    close: () => {
      const one = can()
      one?.tab.live.close()
      watched = watched.filter(other => other !== one)
    },
    crash: () => {
      const one = any()
      one?.tab.crash()
      watched = watched.filter(other => other !== one)
    },
    freeze: () => {
      const one = can()
      if (!one) return
      one.tab.freeze()
      one.isFrozen = true
    },
    thaw: () => {
      const one = any()
      if (!one) return
      one.tab.thaw()
      one.isFrozen = false
    },
    leave: () => {
      const one = can()
      if (!one) return
      one.tab.leave()
      one.hasLeft = true
    },
    return: () => {
      const one = any()
      if (!one?.hasLeft) return
      one.tab.return()
      one.hasLeft = false
    },
    hide: () => any()?.tab.hide(),
    show: () => can()?.tab.show(),
    cut: () => {
      const streams = world.openStreams
      if (streams.length > 0) random.pick(streams).end()
    },
    online: () => can()?.tab.wake('online'),
    wait: () => world.clock.advance(random.between(1, 3_000)),
    moment: () => world.clock.advance(random.between(1, 200)),
  }
  for (let step = 0; step < STEPS; step += 1) {
    const action = random.pick(Object.keys(actions))
    done.push(action)
    actions[action]?.()
    await new Promise(setImmediate)
    for (let n = random.between(0, 12); n > 0; n -= 1) await world.arrive()
  }
  for (const { tab } of watched) {
    tab.thaw()
    await world.arrive()
  }
  for (const one of watched) if (one.hasLeft) one.tab.return()
  await world.pass(1_000)
  for (const { tab } of watched) tab.show()
  await world.pass(45_000)
  world.publish()
  await world.settle()
  for (const { tab, names, since } of watched) {
    const expected = world.log.filter(({ seq, event }) => seq > since && names.includes(event))
    const told = tab.told.join()
    if (told !== expected.map(({ seq, event }) => `${event} ${seq}`).join() || tab.errors.length > 0) {
      return `seed ${seed}: ${tab.name} (${tab.state}, behind ${since}) was told ${told}; ${String(tab.errors)}; ${done.join()}`
    }
  }
  if (watched.length > 0 && world.openStreams.length !== 1) {
    return `seed ${seed}: ${world.openStreams.length} connections; ${done.join()}`
  }
  return undefined
}

test('whatever tabs do, each is told every event behind its cursor, once and in order', async t => {
  const seed = seedOf(process.env)
  t.log(`SEED=${seed}`)
  for (let n = 0; n < RUNS; n += 1) {
    const failure = await run(seed + n)
    if (failure !== undefined) {
      t.fail(failure)
      return
    }
  }
  t.pass()
})
