import { ROOM } from './kept.ts'
import type { World } from './world.ts'

/** Compares who is said to be present with who has a stream. */
export class RoomCheck {
  readonly #world: World
  /** Whether all said the same when it was asked last. */
  isRight = false
  /** When all said the same for the first time since it was first asked. */
  rightAt: number | undefined
  /** What is said. */
  complaint = 'nobody has looked'

  constructor(world: World) {
    this.#world = world
  }

  /** Asks; the answer is there with the next step. */
  look(): void {
    const { service, instances } = this.#world
    const open = instances.flatMap(({ visits }) => [...visits]).filter(({ isPresent }) => isPresent)
    const there = namesOf(open.map(({ person }) => person.identity))
    const told = namesOf((JSON.parse(service.lastState || '{"members":[]}') as State).members)
    void service.roster.present(ROOM, 1_000).then(({ members }) => {
      const known = namesOf(members)
      this.isRight = known === there && told === there
      if (this.isRight) this.rightAt ??= this.#world.time.now
      this.complaint = `${there} are there, ${known} are known, and ${told} were told to be`
    })
  }
}

interface State {
  readonly members: readonly { readonly id: string }[]
}

function namesOf(members: readonly { readonly id: string }[]): string {
  return [...new Set(members.map(({ id }) => id))].toSorted().join()
}
