import { createBackOff } from './back-off.ts'
import { bounded } from './bounded.ts'
import type { Environment } from './environment.ts'
import { ALL, type Inbox } from './inbox.ts'
import type { ConnectOptions, LoadReason } from './options.ts'

/** Loads the application's state, and holds events meanwhile. */
export interface Loader {
  /** Starts a load; a load in progress for another reason is restarted for both. */
  run(why: LoadReason): void
  /** No more retries. A load in progress may finish, unless the stream was closed. */
  stop(isClosed?: boolean): void
}

/**
 * @param failed called with the error of `load`
 * @param stuck called when a retry becomes pending, or no longer is
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
      else failed(new TypeError('`load` must return nothing or { cursor: string }'))
    } catch (error) {
      if (signal.aborted) return
      current.abort()
      // `failed` or `stuck` may stop it.
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
    // The last load failed, and a retry is pending.
    cancelWait()
    inbox.release(ALL)
  }

  return {
    run(why) {
      if (isOver) return
      // The new state is newer than the old epoch, whose ids are not comparable with its cursor.
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
