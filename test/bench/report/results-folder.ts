import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { sectionIn, withSection } from '../../support/marked-section.ts'
import { ROOT } from '../../support/root.ts'
import type { Results } from '../run.ts'
import type { Workload } from '../workload.ts'
import { chart } from './chart.ts'
import { thisMachine } from './machine.ts'
import { page } from './page.ts'
import { measuresToSave, readSaved, resultsOf, type Saved } from './saved.ts'
import { SECTION, summary } from './summary.ts'

/**
 * The folder with the last results of each workload: their numbers, their charts, and a page of all. A summary goes into
 * a page of the docs, where its marks stand.
 */
export class ResultsFolder {
  readonly #folder: string
  readonly #workloads: readonly Workload[]
  readonly #summary: string

  constructor(folder: string, workloads: readonly Workload[], summary: string) {
    this.#folder = folder
    this.#workloads = workloads
    this.#summary = summary
  }

  /** Whether that page has the summary of what is saved. */
  async isSummarized(): Promise<boolean> {
    const text = await readFile(this.#summary, 'utf8')
    return sectionIn(await this.#summarized(text, await this.#saved()), SECTION) === sectionIn(text, SECTION)
  }

  /** Puts the results of a workload in the place of its last. */
  async save(workload: Workload, results: Results, rounds: number): Promise<void> {
    const date = new Date().toISOString().slice(0, 10)
    const run = { date, rounds, machine: thisMachine(), measures: measuresToSave(results) }
    const saved = { ...(await this.#saved()), [workload.name]: run }
    await this.#write('results.json', JSON.stringify(saved))
    await this.#draw(saved)
  }

  /** Draws everything again from the numbers. */
  async draw(): Promise<void> {
    await this.#draw(await this.#saved())
  }

  #saved(): Promise<Saved> {
    return readSaved(this.#file('results.json'))
  }

  async #draw(saved: Saved): Promise<void> {
    for (const workload of this.#workloads) {
      const run = saved[workload.name]
      if (run !== undefined) await this.#write(`${workload.name}.svg`, chart(workload, resultsOf(run)))
    }
    await this.#write('README.md', page(this.#workloads, saved))
    await writeFile(this.#summary, await this.#summarized(await readFile(this.#summary, 'utf8'), saved))
  }

  #summarized(text: string, saved: Saved): Promise<string> {
    return formatted(this.#summary, withSection(text, SECTION, summary(saved)))
  }

  #file(name: string): string {
    return join(this.#folder, name)
  }

  async #write(name: string, text: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    const file = this.#file(name)
    await writeFile(file, name.endsWith('.svg') ? text : await formatted(file, text))
  }
}

async function formatted(file: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(file)), filepath: file })
}

/** The one that is part of the project. */
export function resultsFolder(workloads: readonly Workload[]): ResultsFolder {
  return new ResultsFolder(join(ROOT, 'test/bench/results'), workloads, join(ROOT, 'docs/speed.md'))
}
