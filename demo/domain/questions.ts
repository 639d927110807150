import type { Shelf, Shelves } from '../storage/shelf.ts'

/** A question to the assistant. Its answer is the run with this id. */
export interface Question {
  /** Made up by the page that has asked. */
  readonly id: string
  readonly text: string
}

/** How many questions are kept for one user: the page reads the answers of all of them. */
const KEPT = 5

/** What users have asked lately, for pages that are loaded later. */
export class Questions {
  readonly #byUser: Shelf<readonly Question[]>

  /** @param keep milliseconds that answers are kept */
  constructor(shelves: Shelves, keep: number) {
    this.#byUser = shelves.shelf('questions', keep)
  }

  /** Newest last. */
  async list(userId: string): Promise<readonly Question[]> {
    return (await this.#byUser.get(userId)) ?? []
  }

  /** Adds a question, unless it is there: one that was not answered to the end may be asked again. */
  async add(userId: string, question: Question): Promise<void> {
    await this.#byUser.update(userId, (questions = []) =>
      questions.some(({ id }) => id === question.id) ? undefined : [...questions, question].slice(-KEPT),
    )
  }
}
