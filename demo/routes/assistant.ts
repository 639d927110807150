import Router from '@koa/router'
import { eventStream, type Authenticator, type EventInput } from 'koa-event-stream'
import { answer, LONGEST_QUESTION } from '../domain/assistant.ts'
import type { Events } from '../events.ts'
import type { StreamGuards } from '../limits.ts'
import type { SignedIn } from '../middleware/signed-in.ts'
import type { Services } from '../services.ts'
import { render } from '../views/render.ts'
import { field } from './form.ts'

export function assistantRoutes(services: Services, login: Authenticator, guards: StreamGuards): Router<SignedIn> {
  const router = new Router<SignedIn>()

  router.get('/assistant', ctx => {
    render(ctx, 'assistant', { longest: LONGEST_QUESTION })
  })

  // A stream that answers one question and ends, as language models are served.
  router.post(
    '/assistant/answers',
    eventStream({
      hub: services.hub,
      authenticate: login,
      ...guards,
      // `fetch` understands a status, and does not come back by itself.
      overload: 'reject',
      subscribe: (stream, ctx) => {
        const question = field(ctx, 'question').trim()
        if (question === '' || question.length > LONGEST_QUESTION) {
          ctx.throw(422, `Ask something, in at most ${LONGEST_QUESTION} characters.`)
        }
        return tokens(answer(question, stream.identity.id, services, stream.signal))
      },
    }),
  )

  return router
}

async function* tokens(words: AsyncIterable<string>): AsyncGenerator<EventInput<Events>> {
  for await (const text of words) yield { event: 'token', data: { text } }
  yield { event: 'done', data: {} }
}
