import type { Answer } from '../../demo/domain/assistant.ts'
import { Script } from '../relay/script.ts'
import { eventually } from '../support/eventually.ts'

/** In place of the demo's model: its answers say what the test tells them to. */
export class Model {
  readonly #answers = new Map<string, Script[]>()

  readonly answer: Answer = (question, _userId, _services, signal) => this.#say(question, signal)

  /** All answers to a question that have begun. */
  answersTo(question: string): readonly Script[] {
    return this.#answers.get(question) ?? []
  }

  /** The last answer to a question, once so many have begun. */
  async answerTo(question: string, count = 1): Promise<Script> {
    await eventually(
      () => this.answersTo(question).length >= count,
      () => `"${question}" is not being answered`,
    )
    const script = this.answersTo(question).at(-1)
    if (script === undefined) throw new Error('there is none')
    return script
  }

  // It begins when the first word is asked for.
  async *#say(question: string, signal: AbortSignal): AsyncGenerator<string> {
    const script = new Script(signal)
    this.#answers.set(question, [...this.answersTo(question), script])
    for await (const { data } of script) yield String(data)
  }
}
