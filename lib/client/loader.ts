import { createBackOff } from './back-off.ts'
import { bounded } from './bounded.ts'
import type { Environment } from './environment.ts'
import { ALL, type Inbox } from './inbox.ts'
import type { ConnectOptions, LoadReason } from './options.ts'

/** Loads the application's state, and keeps events waiting meanwhile. */
export interface Loader {
  /** Loads; what is being loaded for another reason is loaded anew for both. */
  run(why: LoadReason): void
  /** Tries nothing again. What is being loaded may come to its end, unless that is of no interest any more. */
  stop(isClosed?: boolean): void
}

/**
 * @param failed is told what `load` fails with
 * @param stuck is told whether another try is being waited for
 */
export function createLoader(
  env: Environment,
  load: NonNullable<ConnectOptions['load']>,
  inbox: Inbox,
  failed: (error: unknown) => void,
  stuck: (isStuck: boolean) => void,
): Loader {
  let backOff = createBackOff(env)
  let pending: LoadReason | undefined
  let current = new AbortController()
  let cancelWait = (): void => undefined
  let isOver = false

  const attempt = async (why: LoadReason): Promise<void> => {
    current.abort()
    cancelWait()
    const { signal } = (current = new AbortController())
    try {
      const answer: unknown = await bounded(env, 'load', signal, async () => load(why, signal))
      if (signal.aborted) return
      const { cursor = '' } = Object(answer) as { cursor?: unknown }
      if (typeof cursor === 'string') inbox.include(cursor)
      else failed(new TypeError('`load` must answer nothing or { cursor: string }'))
    } catch (error) {
      if (signal.aborted) return
      current.abort()
      // Whoever is told of it may stop it.
      cancelWait = env.after(backOff(0), () => void attempt(why))
      failed(error)
      stuck(true)
      if (isOver) stop()
      return
    }
    stuck(false)
    backOff = createBackOff(env)
    pending = undefined
    inbox.release(ALL)
  }

  const stop = (isClosed?: boolean): void => {
    isOver = true
    if (isClosed) current.abort()
    if (!current.signal.aborted) return
    // It has failed, and waits for another try.
    cancelWait()
    inbox.release(ALL)
  }

  return {
    run(why) {
      if (isOver) return
      // The state will be newer than the life of the log that is over, and its cursor compares with none of those ids.
      if (why.reason === 'epoch') inbox.drop()
      inbox.hold(ALL)
      void attempt((pending = merged(pending ?? why, why)))
    },
    stop,
  }
}

function merged(before: LoadReason, why: LoadReason): LoadReason {
  if (!('topics' in before) || !('topics' in why)) return before
  return { ...why, topics: [...new Set([...before.topics, ...why.topics])] }
}
