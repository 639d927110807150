/** The load generator's process. */
import { serveCommands } from '../remote.ts'
import { Crowd, type Opening } from './crowd.ts'

const crowd = new Crowd()

const commands = {
  open: (opening: Opening) => crowd.open(opening),
  clear: () => crowd.clear(),
  receive: (wanted: { clients: number; each: number }) => crowd.receive(wanted),
  noteIds: () => crowd.noteIds(),
  lastId: () => crowd.lastId(),
  close: () => crowd.close(),
}

export type LoadCommands = typeof commands

serveCommands(commands)
