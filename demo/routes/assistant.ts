import Router from '@koa/router'
import type { Authenticator, EventInput, Identity } from 'koa-event-stream'
import { relay, type Run } from 'koa-event-stream/relay'
import { LONGEST_QUESTION, type Answer } from '../domain/assistant.ts'
import type { Events } from '../events.ts'
import type { StreamGuards } from '../limits.ts'
import type { SignedIn } from '../middleware/signed-in.ts'
import { KEEP_ANSWERS, type Services } from '../services.ts'
import { render } from '../views/render.ts'
import { field } from './form.ts'

/** Fills what the page's script copies for a new question. */
const BLANK = { id: '', text: '' }

/** Answers that go on without the page that has asked: it may be loaded anew, cut off or closed, and other tabs read along. */
export function assistantRoutes(
  services: Services,
  login: Authenticator,
  guards: StreamGuards,
  answer: Answer,
): Router<SignedIn> {
  const { hub, questions } = services
  const answers = relay({ hub, name: 'assistant', keep: KEEP_ANSWERS })
  const may = ({ id }: Identity, { owner }: Run) => id === owner
  const router = new Router<SignedIn>()

  router.get('/assistant', async ctx => {
    const asked = await questions.list(ctx.state.account.id)
    render(ctx, 'assistant', { longest: LONGEST_QUESTION, questions: asked, blank: BLANK })
  })

  router.post(
    '/assistant/answers/:id',
    answers.start({
      authenticate: login,
      ...guards,
      // `fetch` understands a status, and does not come back by itself.
      overload: 'reject',
      id: async ctx => {
        const text = field(ctx, 'question').trim()
        if (text === '' || text.length > LONGEST_QUESTION) {
          ctx.throw(422, `Ask something, in at most ${LONGEST_QUESTION} characters.`)
        }
        const { account } = ctx.state as SignedIn
        const { id } = ctx.params as { id: string }
        // Before it is answered: a page that is loaded a moment later shows it.
        await questions.add(account.id, { id, text })
        return id
      },
      run: ({ identity, signal }, ctx) => tokens(answer(field(ctx, 'question').trim(), identity.id, services, signal)),
      compact: sent => token(sent.map(({ data }) => textOf(data)).join('')),
    }),
  )
  router.get('/assistant/answers/:id', answers.follow({ authenticate: login, ...guards, may }))
  router.delete('/assistant/answers/:id', answers.cancel({ authenticate: login, may }))

  return router
}

async function* tokens(words: AsyncIterable<string>): AsyncGenerator<EventInput<Events>> {
  for await (const text of words) yield token(text)
}

function token(text: string): EventInput<Events> {
  return { event: 'token', data: { text } }
}

function textOf(data: string): string {
  return (JSON.parse(data) as Events['token']).text
}
