import type { BrokerListener, ControlMessage } from '../../lib/broker/broker.ts'
import type { Commands } from './commands.ts'
import type { LogService } from './log-service.ts'
import type { ControlListener } from './remote-engine.ts'
import type { Told } from './log-server.ts'

type Announcement = Extract<Told, { kind: 'announcement' }>

/** What instances tell each other, whatever their topics: heard at once, or fetched once there is a connection again. */
export class RemoteControl implements ControlListener {
  readonly #commands: Commands
  readonly #service: LogService
  readonly #listener: () => BrokerListener | undefined
  // The last one that was heard, and which life of the service it was of.
  #last = 0
  #life: string | undefined
  // Those that come while it is not known what was missed before them.
  #held: Announcement[] | undefined = []
  #connections = 0

  constructor(commands: Commands, service: LogService, listener: () => BrokerListener | undefined) {
    this.#commands = commands
    this.#service = service
    this.#listener = listener
  }

  async announce(message: ControlMessage): Promise<void> {
    await this.#commands.call('announce', server => {
      this.#service.announce(server, JSON.stringify(message))
    })
  }

  async up(): Promise<void> {
    const connection = (this.#connections += 1)
    const { life, last, missed } = await this.#commands.call('announcements', server =>
      server.announcedAfter(this.#life === server.life ? this.#last : Infinity),
    )
    if (connection !== this.#connections) return
    if (life !== this.#life) {
      this.#life = life
      this.#last = last
      // Of those before it nobody can tell.
      this.#listener()?.controlMissed?.()
    }
    for (const { number, text } of missed) this.#handOn(number, text)
    const held = this.#held ?? []
    this.#held = undefined
    for (const announcement of held) this.announced(announcement)
  }

  down(): void {
    this.#connections += 1
    this.#held = []
  }

  announced(announcement: Announcement): void {
    if (this.#held !== undefined) this.#held.push(announcement)
    else this.#handOn(announcement.number, announcement.text)
  }

  #handOn(number: number, text: string): void {
    this.#last = Math.max(this.#last, number)
    this.#listener()?.control(JSON.parse(text) as ControlMessage)
  }
}
