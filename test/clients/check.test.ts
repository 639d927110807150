import test from 'ava'
import { EventSource } from 'eventsource'
import { connect } from 'koa-event-stream/client'
import { play } from './check/play.ts'
import { scenes } from './check/scenes.ts'

// Longer than a client waits that has been told to come back, and has something else to do.
const PATIENCE = 15_000

for (const scene of scenes) {
  test(`the library’s own client: ${scene.rule}`, async t => {
    const start = (url: string) => {
      const live = connect(url)
      return { stop: () => live.close() }
    }
    t.is((await play(scene, start, PATIENCE)).wrong, undefined)
  })
}

test('a client that asks once breaks the rules on coming back, and no others', async t => {
  const start = (url: string) => {
    void fetch(url)
      .then(response => response.text(), ignore)
      .catch(ignore)
    return { stop: () => undefined }
  }
  const verdicts = await Promise.all(scenes.map(scene => play(scene, start, PATIENCE)))
  const wrong = verdicts.filter(verdict => verdict.wrong !== undefined).map(({ scene }) => scene.name)
  t.deepEqual(wrong, ['resume', 'half', 'unknown', 'lines', 'gap', 'retry', 'overload', 'silent'])
})

test('a client that asks for ever, and always for everything, breaks those on stopping', async t => {
  const start = (url: string) => {
    const stop = new AbortController()
    const ask = async (): Promise<void> => {
      while (!stop.signal.aborted)
        await fetch(url, { signal: stop.signal })
          .then(response => response.text())
          .catch(ignore)
    }
    void ask()
    return { stop: () => stop.abort() }
  }
  const verdicts = await Promise.all(scenes.map(scene => play(scene, start, PATIENCE)))
  const right = verdicts.filter(verdict => verdict.wrong === undefined).map(({ scene }) => scene.name)
  t.deepEqual(right, ['overload'])
})

test('an EventSource keeps the rules that it must', async t => {
  const start = (url: string) => {
    const source = new EventSource(url)
    return { stop: () => source.close() }
  }
  const musts = scenes.filter(({ level }) => level === 'must')
  const verdicts = await Promise.all(musts.map(scene => play(scene, start, PATIENCE)))
  t.deepEqual(
    verdicts.filter(({ wrong }) => wrong !== undefined),
    [],
  )
})

function ignore(): void {}
