import test from 'ava'
import { Random, seedOf } from '../support/random.ts'
import { TabsWorld, type Tab } from './tabs.ts'

const RUNS = 40
const STEPS = 120

interface Published {
  readonly epoch: string
  readonly seq: number
  readonly event: string
}

/** A tab, and what it is to have been told once all is quiet. */
interface Watched {
  readonly tab: Tab
  readonly names: readonly string[]
  /** The number of the last event before those that are to be told; nothing where a state is loaded first. */
  readonly since: number | undefined
  hasLeft: boolean
  isFrozen: boolean
}

/** Opens a tab, of a page that was rendered with its state, or that loads it. */
function open(world: TabsWorld, random: Random): Watched {
  const names = random.pick([['tick'], ['tick', 'tock']])
  const since = random.chance(0.5) ? Math.max(world.floor, world.top - random.between(0, 6)) : undefined
  const load = () => {
    tab.told.push(`loaded ${world.top} ${world.epoch}`)
    return { cursor: world.cursor }
  }
  const tab: Tab = world.open({ load, since: since === undefined ? since : `${world.epoch}-${since}` }, names)
  return { tab, names, since, hasLeft: false, isFrozen: false }
}

/** What is wrong with what a tab was told of all that was published. */
function wrongIn({ tab, names, since }: Watched, all: readonly Published[]): string | undefined {
  let known = since
  let loaded: string | undefined
  for (const [what = '', text, epoch] of tab.told.map(one => one.split(' '))) {
    if (what === 'gap') continue
    const seq = Number(text)
    const isLoaded = what === 'loaded'
    if (isLoaded) loaded = epoch
    // The state may be of a new life of the log before the stream has come to the gap.
    else if (loaded !== undefined && seq <= Number(known) && all.find(one => one.seq === seq)?.epoch !== loaded)
      continue
    else if (known !== undefined) {
      const next = all.find(one => one.seq > Number(known) && names.includes(one.event))
      if (next?.seq !== seq) return `${what} ${text} came behind ${known}`
    }
    known = isLoaded ? Math.max(known ?? 0, seq) : seq
  }
  const rest = all.filter(({ seq, event }) => seq > (known ?? 0) && names.includes(event))
  return rest.length > 0 ? `${rest.length} are missing behind ${known}` : tab.errors.map(String)[0]
}

async function run(seed: number): Promise<string | undefined> {
  const random = new Random(seed)
  const world = new TabsWorld(random)
  const all: Published[] = []
  const publish = (...names: string[]): void => {
    const event = random.pick(names)
    world.publish(event)
    all.push({ epoch: world.epoch, seq: world.top, event })
  }
  let lives = 1
  let watched: Watched[] = []
  const done: string[] = []
  const any = (): Watched | undefined => (watched.length > 0 ? random.pick(watched) : undefined)
  const can = (): Watched | undefined => {
    const one = any()
    return one && !one.isFrozen && !one.hasLeft ? one : undefined
  }
  const actions: Record<string, () => void> = {
    publish: () => publish('tick', 'tick', 'tock'),
    publishes: () => {
      for (let n = random.between(2, 6); n > 0; n -= 1) publish('tick', 'tock')
    },
    trim: () => {
      world.floor = Math.max(world.floor, world.top - random.between(0, 3))
    },
    loseHistory: () => {
      if (random.chance(0.3)) world.begin(`e${(lives += 1)}`, world.top + 100)
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
  publish('tick')
  await world.settle()
  for (const one of watched) {
    const wrong = wrongIn(one, all)
    const { tab, since } = one
    if (wrong !== undefined) {
      return `seed ${seed}: ${tab.name} (${tab.state}, behind ${since}): ${wrong}; ${tab.told.join()}; ${done.join()}`
    }
  }
  if (watched.length > 0 && world.openStreams.length !== 1) {
    return `seed ${seed}: ${world.openStreams.length} connections; ${done.join()}`
  }
  return undefined
}

test('whatever tabs and the log do, each is told every event behind its cursor or its state, once and in order', async t => {
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
