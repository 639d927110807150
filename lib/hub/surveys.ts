import type { Broker, SurveyAnswerMessage, SurveyMessage } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import { Question } from './question.ts'

/** What this needs of the hub. */
export interface SurveysHub {
  readonly broker: Pick<Broker, 'announce'>
  readonly clock: Clock
  readonly instances: { readonly id: string; all(): Promise<readonly string[]> }
  failed(during: string, error: unknown): void
}

/** Answers a survey on one instance, with any JSON value. */
export type SurveyHandler = (body: unknown) => unknown

export interface SurveyOptions {
  /** Milliseconds to wait for the answers. */
  readonly within: number
  /** Whether one answer makes the others unnecessary. Default: never. */
  readonly isEnough?: (body: unknown) => boolean
  /** Whether to wait for that answer from instances that are not in the roster: they have had no stream. Default `false`. */
  readonly isPatient?: boolean
}

export interface SurveyOutcome {
  /** By the name of the instance, including this one. */
  readonly answers: ReadonlyMap<string, unknown>
  /** Whether all living instances have answered in time, or one answer was enough. */
  readonly complete: boolean
  /** The known living instances without an answer, or with the answer `null`. */
  readonly silent: readonly string[]
}

/**
 * Sends questions to all instances and collects the answers, for operators. A survey may be lost and is then
 * incomplete. Costs nothing while it is not used.
 */
export class Surveys {
  readonly #hub: SurveysHub
  readonly #handlers = new Map<string, SurveyHandler>()
  readonly #questions = new Map<string, Question<unknown>>()

  constructor(hub: SurveysHub) {
    this.#hub = hub
  }

  /** Sets the handler of a component on this instance. It must be synchronous. */
  handle(about: string, handler: SurveyHandler): void {
    this.#handlers.set(about, handler)
  }

  /** Asks all instances. Never rejects: without a broker only this instance answers. */
  async ask(about: string, body: unknown, { within, isEnough, isPatient }: SurveyOptions): Promise<SurveyOutcome> {
    const { broker, clock, instances } = this.#hub
    const question = clock.id()
    const asked = new Question<unknown>(instances.id, isEnough, isPatient)
    this.#questions.set(question, asked)
    try {
      asked.hear(instances.id, this.#answerTo(about, body))
      const announced = broker.announce({ type: 'survey', question, about, body })
      // If the announcement fails, no other instance will answer.
      announced.catch(() => {
        asked.close()
      })
      const isInTime = await asked.isComplete(clock, within, instances.all())
      // `null` means that the instance could not look: it counts as silent.
      const answers = new Map([...asked.answers].filter(([, answer]) => answer !== null))
      const silent = asked.silent(answer => answer !== null)
      const isEnoughSaid = isEnough !== undefined && [...answers.values()].some(isEnough)
      const complete = isInTime && (isEnoughSaid || silent.length === 0)
      return { answers, complete, silent: complete ? [] : silent }
    } finally {
      this.#questions.delete(question)
    }
  }

  /** Handles a control message. */
  hear(message: SurveyMessage | SurveyAnswerMessage): void {
    const own = this.#questions.get(message.question)
    if (message.type === 'survey-answer') {
      own?.hear(message.instance, message.body)
      return
    }
    // This instance has already answered its own question.
    if (own !== undefined) return
    const { broker, instances } = this.#hub
    const body = this.#answerTo(message.about, message.body)
    broker
      .announce({ type: 'survey-answer', question: message.question, instance: instances.id, body })
      .catch((error: unknown) => {
        this.#hub.failed('survey', error)
      })
  }

  close(): void {
    for (const question of this.#questions.values()) question.close()
  }

  #answerTo(about: string, body: unknown): unknown {
    try {
      return this.#handlers.get(about)?.(body) ?? null
    } catch (error) {
      this.#hub.failed('survey', error)
      return null
    }
  }
}
