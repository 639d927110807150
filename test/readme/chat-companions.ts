/** What the example of docs/ai-sdk.md imports from its reader. */

/** A database of chats, on the Redis of the example. */
const CHATS = `
import type { UIMessage } from 'ai'
import { Redis } from 'ioredis'

interface Chat { readonly owner: string; readonly messages: UIMessage[]; readonly run: string }

const redis = new Redis(process.env.REDIS_URL ?? '')
const read = async (id: string): Promise<Chat | undefined> => {
  const chat = await redis.hgetall('chat:' + id)
  return chat.owner === undefined ? undefined : { owner: chat.owner, messages: JSON.parse(chat.messages ?? '[]'), run: chat.run ?? '' }
}
const write = async (id: string, { messages, ...rest }: Partial<Chat>): Promise<void> => {
  await redis.hset('chat:' + id, { ...rest, ...(messages && { messages: JSON.stringify(messages) }) })
}
export const chats = { read, write }
`

/** A model that says what its parent process tells it to, up to an empty text, and tells it when it begins and is stopped. */
const MODEL = `
import { MockLanguageModelV3 } from 'ai/test'

type Part = Awaited<ReturnType<MockLanguageModelV3['doStream']>>['stream'] extends ReadableStream<infer P> ? P : never

export const model = new MockLanguageModelV3({
  doStream: async ({ abortSignal }) => ({
    stream: new ReadableStream<Part>({
      start(controller) {
        const tell = (text: unknown) => {
          if (text !== '') return controller.enqueue({ type: 'text-delta', id: '1', delta: String(text) })
          process.off('message', tell)
          controller.enqueue({ type: 'text-end', id: '1' })
          controller.enqueue({
            type: 'finish',
            finishReason: { unified: 'stop', raw: undefined },
            usage: {
              inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
              outputTokens: { total: 1, text: 1, reasoning: 0 },
            },
          })
          controller.close()
        }
        controller.enqueue({ type: 'stream-start', warnings: [] })
        controller.enqueue({ type: 'text-start', id: '1' })
        process.on('message', tell)
        abortSignal?.addEventListener('abort', () => {
          process.off('message', tell)
          process.send?.('stopped')
          controller.error(abortSignal.reason)
        })
        process.send?.('begun')
      },
    }),
  }),
})
`

/** Files by their names. */
export const CHAT_COMPANIONS = { 'chats.ts': CHATS, 'model.ts': MODEL } as const
