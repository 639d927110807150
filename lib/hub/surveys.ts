import type { Broker, SurveyAnswerMessage, SurveyMessage } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import { Question } from './question.ts'

/** What surveys need of the hub. */
export interface SurveysHub {
  readonly broker: Pick<Broker, 'announce'>
  readonly clock: Clock
  readonly instances: { readonly id: string; all(): Promise<readonly string[]> }
  failed(during: string, error: unknown): void
}

/** What part of an instance answers: anything that JSON holds. */
export type SurveyHandler = (body: unknown) => unknown

export interface SurveyOptions {
  /** Milliseconds that instances have for their answers. */
  readonly within: number
  /** Whether one answer is all there is to know, so that nobody waits for the others. Default: never. */
  readonly isEnough?: (body: unknown) => boolean
  /** Whether that answer may come from an instance that has had no stream yet, so that nobody knows of it. Default `false`. */
  readonly isPatient?: boolean
}

export interface SurveyOutcome {
  /** By the name of the instance, this one included. */
  readonly answers: ReadonlyMap<string, unknown>
  /** Whether all instances that live have answered in time, or one has said enough. */
  readonly complete: boolean
  /** Instances that live and have not answered, or had nothing to say (`null`), as far as anybody can tell. */
  readonly silent: readonly string[]
}

/**
 * Asks all instances something, and counts the answers. For what operators want to know: a survey may be lost, and then it is
 * not complete. Nothing is kept, and nothing is sent, while nobody asks.
 */
export class Surveys {
  readonly #hub: SurveysHub
  readonly #handlers = new Map<string, SurveyHandler>()
  readonly #questions = new Map<string, Question<unknown>>()

  constructor(hub: SurveysHub) {
    this.#hub = hub
  }

  /** Names what answers for this instance. It must answer at once. */
  handle(about: string, handler: SurveyHandler): void {
    this.#handlers.set(about, handler)
  }

  /** Asks. It never rejects: without a broker this instance alone answers. */
  async ask(about: string, body: unknown, { within, isEnough, isPatient }: SurveyOptions): Promise<SurveyOutcome> {
    const { broker, clock, instances } = this.#hub
    const question = clock.id()
    const asked = new Question<unknown>(instances.id, isEnough, isPatient)
    this.#questions.set(question, asked)
    try {
      asked.hear(instances.id, this.#answerTo(about, body))
      const announced = broker.announce({ type: 'survey', question, about, body })
      // Where it cannot be announced nobody else will answer.
      announced.catch(() => {
        asked.close()
      })
      const isInTime = await asked.isComplete(clock, within, instances.all())
      // Whoever has nothing to say may still have what was asked for: nobody has looked there.
      const answers = new Map([...asked.answers].filter(([, answer]) => answer !== null))
      const silent = asked.silent(answer => answer !== null)
      const isEnoughSaid = isEnough !== undefined && [...answers.values()].some(isEnough)
      const complete = isInTime && (isEnoughSaid || silent.length === 0)
      return { answers, complete, silent: complete ? [] : silent }
    } finally {
      this.#questions.delete(question)
    }
  }

  // What the broker says.

  hear(message: SurveyMessage | SurveyAnswerMessage): void {
    const own = this.#questions.get(message.question)
    if (message.type === 'survey-answer') {
      own?.hear(message.instance, message.body)
      return
    }
    // This instance has answered its own already.
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
