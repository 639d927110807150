import type { Neighbour } from './neighbour.ts'
import { middleware } from './neighbours/middleware.ts'
import { observers } from './neighbours/observers.ts'
import { servers } from './neighbours/servers.ts'
import { sessions } from './neighbours/sessions.ts'
import { users } from './neighbours/users.ts'

/** All that is tested beside a stream: tests and the table of docs/works-with.md are made of this list. */
export const neighbours: readonly Neighbour[] = [...middleware, ...observers, ...sessions, ...users, ...servers]
