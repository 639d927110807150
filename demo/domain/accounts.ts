import { scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'

/** Someone who can log in. The password hash never leaves this file. */
export interface Account {
  readonly id: string
  readonly name: string
  readonly company: string
  /** Operators see who is connected; customers order coffee. */
  readonly role: 'customer' | 'operator'
}

/** How somebody proves to be who they are. */
export interface Credentials {
  readonly account: Account
  /** The scrypt of the password in the PHC string format, with the parameters that it was made with. */
  readonly passwordHash: string
}

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt)

// As OWASP's Password Storage Cheat Sheet has it, of equal strength: 16 MiB of memory, five times.
const CREDENTIALS: readonly Credentials[] = [
  {
    account: { id: 'ada', name: 'Ada Lovelace', company: 'Engine Street Roasters', role: 'customer' },
    passwordHash: '$scrypt$ln=14,r=8,p=5$frROA2GrugtXEmbLwxj/aA$pZQMbBA+RPgC76GJhm7mRQrnUwxL8gT79dc+UcvkUo4',
  },
  {
    account: { id: 'grace', name: 'Grace Hopper', company: 'Harbour Light Coffee', role: 'customer' },
    passwordHash: '$scrypt$ln=14,r=8,p=5$XICHWHGtZa0swkdAMF0i7Q$VT25pxyCPFcTuTIrTS8/BQB+S9tpNKG/pRzbEWpbdeI',
  },
  {
    account: { id: 'joan', name: 'Joan Clarke', company: 'Quayside', role: 'operator' },
    passwordHash: '$scrypt$ln=14,r=8,p=5$da7i1UH+rCohh9stKQIH1w$XrchFR31qd4JylXv/cPJ2d3KSpjqiCSK5px6ZUoGl0M',
  },
]

/** What the login page offers to strangers. A real site has nothing like it. */
export const DEMO_LOGINS = [
  { username: 'ada', password: 'analytical-engine' },
  { username: 'grace', password: 'nanoseconds' },
  { username: 'joan', password: 'banburismus' },
] as const

export class Accounts {
  readonly #byId: ReadonlyMap<string, Credentials>
  // Compared with where the user is unknown, so that the answer takes as long as for a wrong password.
  readonly #nobody: string

  constructor(credentials: readonly Credentials[] = CREDENTIALS) {
    this.#byId = new Map(credentials.map(each => [each.account.id, each]))
    this.#nobody = credentials[0]?.passwordHash ?? ''
  }

  find(id: string): Account | undefined {
    return this.#byId.get(id)?.account
  }

  /** The `id` of each customer. */
  customers(): string[] {
    return [...this.#byId.values()].flatMap(({ account }) => (account.role === 'customer' ? account.id : []))
  }

  /** The account, if the password is its own. Takes equally long for an unknown user. */
  async verify(username: string, password: string): Promise<Account | undefined> {
    const credentials = this.#byId.get(username)
    const matches = await passwordMatches(password, credentials?.passwordHash ?? this.#nobody)
    return matches ? credentials?.account : undefined
  }
}

const PHC = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/

async function passwordMatches(password: string, passwordHash: string): Promise<boolean> {
  const [, ln, r, p, salt, hash] = PHC.exec(passwordHash) ?? []
  if (salt === undefined || hash === undefined) throw new Error('a password hash is not in the PHC format')
  const expected = Buffer.from(hash, 'base64')
  const cost = { cost: 2 ** Number(ln), blockSize: Number(r), parallelization: Number(p) }
  const actual = await derive(password, Buffer.from(salt, 'base64'), expected.length, cost)
  return timingSafeEqual(actual, expected)
}
