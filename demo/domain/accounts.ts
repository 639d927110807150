import { scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

/** Someone who can log in. The password hash never leaves this file. */
export interface Account {
  readonly id: string
  readonly name: string
  readonly company: string
}

interface Credentials {
  readonly account: Account
  /** `<salt>.<scrypt of the password>`, both base64url. */
  readonly passwordHash: string
}

const derive = promisify<string, Buffer, number, Buffer>(scrypt)

/** Compared against when the user is unknown, so that the answer takes as long as for a wrong password. */
const NOBODY = '4eYwZE4_49G1O7Osyj8oaA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'

const CREDENTIALS: readonly Credentials[] = [
  {
    account: { id: 'ada', name: 'Ada Lovelace', company: 'Engine Street Roasters' },
    passwordHash: '4eYwZE4_49G1O7Osyj8oag.eLwORA8pu7NKGIL7yoAS8u06dnCBiYbXjOsmO6Pv46U',
  },
  {
    account: { id: 'grace', name: 'Grace Hopper', company: 'Harbour Light Coffee' },
    passwordHash: '1hvytU8w72eUDGBOdXP2OA.e679rVzZCXq4HM5m3whlA4BdQ8ETQvhGPJ-f9r9Auz0',
  },
]

/** What the login page offers to strangers. A real site has nothing like it. */
export const DEMO_LOGINS = [
  { username: 'ada', password: 'analytical-engine' },
  { username: 'grace', password: 'nanoseconds' },
] as const

export class Accounts {
  readonly #byId = new Map(CREDENTIALS.map(credentials => [credentials.account.id, credentials]))

  find(id: string): Account | undefined {
    return this.#byId.get(id)?.account
  }

  ids(): string[] {
    return [...this.#byId.keys()]
  }

  /** The account, if the password is its own. Takes equally long for an unknown user. */
  async verify(username: string, password: string): Promise<Account | undefined> {
    const credentials = this.#byId.get(username)
    const matches = await passwordMatches(password, credentials?.passwordHash ?? NOBODY)
    return matches ? credentials?.account : undefined
  }
}

async function passwordMatches(password: string, passwordHash: string): Promise<boolean> {
  const [salt = '', hash = ''] = passwordHash.split('.')
  const expected = Buffer.from(hash, 'base64url')
  const actual = await derive(password, Buffer.from(salt, 'base64url'), expected.length)
  return timingSafeEqual(actual, expected)
}
