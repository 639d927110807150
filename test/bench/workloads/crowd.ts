import { loadavg, availableParallelism } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { kernelMemory, packetsDropped, packetsThatMayWait } from '../crowd/kernel.ts'
import { CrowdRig, type Cpu } from '../crowd/rig.ts'
import type { Workload } from '../workload.ts'

const SIZES = {
  full: { streams: 100_000, servers: 6, loads: 6, warmUp: 600, interval: 2_000, seconds: 40, within: 120_000 },
  quick: { streams: 12_000, servers: 6, loads: 6, warmUp: 600, interval: 2_000, seconds: 10, within: 3_000 },
  smoke: { streams: 60, servers: 2, loads: 1, warmUp: 4, interval: 200, seconds: 1, within: 1_000 },
}
const ROOM = 4 * 2 ** 30

export const crowd: Workload = {
  name: 'crowd',
  about:
    '100,000 streams with cookie sessions on six processes that share one Redis, six more with the clients, all on two ' +
    'cores; one event of 150 bytes every 2 s to all, and then a restart of all six under that load, one after the other, ' +
    'whose clients are told to come back within two minutes',
  metrics: [
    { key: 'memory', title: 'memory a stream', unit: 'KiB' },
    { key: 'kernel', title: "the kernel's, a socket", unit: 'KiB' },
    { key: 'redis', title: "Redis's, a stream", unit: 'KiB' },
    { key: 'base', title: 'without streams', unit: 'MiB' },
    { key: 'fit', title: 'streams in 4 GiB', unit: 'streams' },
    { key: 'opened', title: 'all open', unit: 's' },
    { key: 'cpu', title: 'CPU a delivery', unit: 'µs' },
    { key: 'servers', title: 'CPU of servers', unit: '% of all cores' },
    { key: 'redisCpu', title: 'CPU of Redis', unit: '% of all cores' },
    { key: 'load', title: 'CPU of clients', unit: '% of all cores' },
    { key: 'others', title: 'CPU of other programs', unit: '% of all cores' },
    { key: 'average', title: 'load average', unit: 'processes' },
    { key: 'dropped', title: 'packets dropped on the loopback', unit: 'packets' },
    { key: 'p50', title: 'median latency', unit: 'ms' },
    { key: 'p99', title: 'p99 latency', unit: 'ms' },
    { key: 'max', title: 'longest latency', unit: 'ms' },
    { key: 'restarted', title: 'all restarted', unit: 's' },
    { key: 'returned', title: 'streams that came back', unit: 'streams' },
    { key: 'refused', title: 'requests without a stream', unit: 'requests' },
    { key: 'restartCpu', title: 'CPU of servers meanwhile', unit: '% of all cores' },
    { key: 'restartP50', title: 'median latency meanwhile', unit: 'ms' },
    { key: 'restartP99', title: 'p99 latency meanwhile', unit: 'ms' },
    { key: 'restartMax', title: 'longest latency meanwhile', unit: 'ms' },
  ],
  contenders: ['session-redis'],
  run: (contender, build, size) => {
    const { streams, servers, loads, warmUp, interval, seconds, within } = SIZES[size]
    if (size !== 'smoke') checkLoopback(streams)
    const droppedBefore = packetsDropped()
    return CrowdRig.with(contender, build, { servers, loads }, async rig => {
      const redisBefore = rig.redisMemory()
      const headers = await rig.logIn(streams)
      await rig.open(headers.slice(0, warmUp))
      const [before, kernelBefore] = [await rig.serverMemory(), kernelMemory()]
      const opened = await rig.open(headers.slice(warmUp))
      const [after, kernelAfter, redisAfter] = [await rig.serverMemory(), kernelMemory(), rig.redisMemory()]
      const count = streams - warmUp
      const memory = (after - before) / count
      const redis = (redisAfter - redisBefore) / streams
      // Both ends are on this machine.
      const kernel =
        (kernelAfter.objects + kernelAfter.buffers - kernelBefore.objects - kernelBefore.buffers) / count / 2
      const base = before - warmUp * memory + redisBefore
      const held = { memory: memory / 1_024, kernel: kernel / 1_024, redis: redis / 1_024, base: base / 2 ** 20 }
      progress(`${streams.toLocaleString('en')} streams are open after ${opened.toFixed(0)} s: ${JSON.stringify(held)}`)

      const measured: Record<string, number> = {}
      await rig.publishWhile(interval, async pulse => {
        await setTimeout(interval * 2)
        await rig.takeLatencies()
        const steady = await shares(rig, () => setTimeout(seconds * 1_000))
        const latencies = await rig.takeLatencies()
        Object.assign(measured, {
          cpu: steady.used.servers / (streams * (steady.seconds / (interval / 1_000))),
          servers: steady.share('servers'),
          redisCpu: steady.share('redis'),
          load: steady.share('load'),
          others: steady.others,
          average: loadavg()[0],
          p50: latencies.quantile(0.5),
          p99: latencies.quantile(0.99),
          max: latencies.quantile(1),
        })
        progress(`${JSON.stringify(measured)}; restarting ${rig.servers} servers`)
        const begin = performance.now()
        const restarted = (done: number) => {
          progress(`${done} restarted after ${((performance.now() - begin) / 1_000).toFixed(0)} s`)
        }
        const restart = await shares(rig, () => rig.restartAll(within, streams, restarted))
        await pulse.stop()
        await rig.caughtUp(streams, () => pulse.published)
        const { ended, refused, most } = await rig.status()
        if (most !== pulse.published) throw new Error(`a client received ${most} events instead of ${pulse.published}`)
        const late = await rig.takeLatencies()
        Object.assign(measured, {
          restarted: restart.seconds,
          returned: ended,
          refused,
          restartCpu: restart.share('servers'),
          restartP50: late.quantile(0.5),
          restartP99: late.quantile(0.99),
          restartMax: late.quantile(1),
          dropped: packetsDropped() - droppedBefore,
        })
      })
      return {
        ...held,
        fit: Math.floor((ROOM - base) / (memory + kernel + redis)),
        opened,
        ...measured,
      }
    })
  },
}

/**
 * An event is a packet to each client at once. Those that the loopback drops come when TCP sends them again, after
 * 0.2 s and more; and a client whose connection was reset never hears of it, if that was in a dropped packet.
 *
 * @throws {Error} if it would drop any
 */
function checkLoopback(streams: number): void {
  if (packetsThatMayWait() >= streams) return
  throw new Error(`too few packets may wait on the loopback: sysctl -w net.core.netdev_max_backlog=${streams * 10}`)
}

/** What part of all cores is used while something is done, in per cent. */
async function shares(rig: CrowdRig, work: () => Promise<unknown>) {
  const [before, begin] = [rig.cpu(), performance.now()]
  await work()
  const [after, seconds] = [rig.cpu(), (performance.now() - begin) / 1_000]
  const used: Cpu = {
    servers: after.servers - before.servers,
    redis: after.redis - before.redis,
    load: after.load - before.load,
    machine: after.machine - before.machine,
  }
  const percent = (cpu: number) => (cpu / 1e6 / seconds / availableParallelism()) * 100
  return {
    seconds,
    used,
    share: (of: keyof Cpu) => percent(used[of]),
    others: percent(used.machine - used.servers - used.redis - used.load),
  }
}

function progress(text: string): void {
  console.error(`crowd: ${text}`)
}
