import type { Publisher } from 'koa-event-stream/redis'
import { eventually } from '../support/eventually.ts'

/** Publishes until it is done, and returns the errors before. */
export async function publishAtLast(publisher: Publisher): Promise<string[]> {
  const errors: string[] = []
  const isPublished = async () => {
    try {
      await publisher.publish('news', { data: 'at last' })
      return true
    } catch (error) {
      errors.push(String(error))
      return false
    }
  }
  await eventually(isPublished, () => `nothing can be published: ${String(errors.at(-1))}`)
  return errors
}
