import type { CountingStore } from '../auth/session/site.ts'
import type { Instance } from './instance.ts'
import type { Login } from './schemes.ts'

/** A way to end a login, on whatever instance. */
export interface Way {
  readonly name: string
  /** Whether instances tell each other. Else each finds out when it looks into the store again. */
  readonly isAnnounced: boolean
  end(instance: Instance, login: Login, sessions: CountingStore): Promise<unknown>
}

const HOUR = 3_600_000

const visit =
  (path: (login: Login) => string): Way['end'] =>
  (instance, { visitor, ...login }) =>
    fetch(instance.url + path(login), { headers: { cookie: visitor?.cookie ?? '' } })

function sessionOf({ id }: Login, { sessions }: CountingStore): string {
  const found = [...sessions].find(([, { userId }]) => userId === id)
  if (found === undefined) throw new Error(`There is no session of ${id}`)
  return found[0]
}

export const WAYS = {
  logOut: { name: 'log-out', isAnnounced: true, end: visit(() => '/logout') },
  regenerate: { name: 'regenerate()', isAnnounced: true, end: visit(() => '/regenerate') },
  changeUser: {
    name: 'another user in the session',
    isAnnounced: false,
    end: visit(({ id }) => `/login?user=not-${id}`),
  },
  disconnectIdentity: {
    name: 'disconnect of the identity',
    isAnnounced: true,
    end: ({ hub }, { id }) => hub.disconnect({ identity: id }, 'logout'),
  },
  disconnectSession: {
    name: 'disconnect of the session',
    isAnnounced: true,
    end: ({ hub }, login, sessions) => hub.disconnect({ session: sessionOf(login, sessions) }),
  },
  disconnectToken: {
    name: 'disconnect of the token',
    isAnnounced: true,
    end: ({ hub }, { token = '' }) => hub.disconnect({ token }),
  },
  disconnectAll: {
    name: 'disconnect of identity and token',
    isAnnounced: true,
    end: ({ hub }, { id, token = '' }) => hub.disconnect({ identity: id, token }, 'done'),
  },
  revoke: {
    name: 'revoke',
    isAnnounced: true,
    end: ({ hub }, { token = '' }) => hub.revoke(token, Date.now() + HOUR),
  },
} as const satisfies Record<string, Way>
