import type { Clock } from '../../clock.ts'
import { invalid, knownKeys, oneOf, text, texts } from '../../options.ts'
import { checkKeyOptions, checkKeyTimeout, KEY_OPTIONS, type KeyOptions } from '../keys/options.ts'
import { ALGORITHMS, isHmac, type Algorithm } from '../keys/verification-key.ts'
import type { IssuerRules } from './verifier.ts'

/** What holds for the tokens of one issuer. */
export interface IssuerOptions extends KeyOptions {
  /** The accepted signature algorithms. HS* cannot be mixed with the others. */
  algorithms: readonly Algorithm[]
  /** For whom tokens must be (`aud`), or `false` for tokens that are for anyone. */
  audience: string | readonly string[] | false
}

/** Options where all tokens are of one issuer. */
export interface OneIssuer extends IssuerOptions {
  /** Whose tokens are accepted (`iss`), or `false` for anyone's who has the key. For several issuers give `issuers`. */
  issuer: string | false
  issuers?: undefined
}

/** Options where tokens are of several issuers. */
export type SeveralIssuers = Partial<Record<Exclude<keyof OneIssuer, 'issuers'>, undefined>> & {
  /**
   * The issuers by their `iss`, each with its own keys, algorithms and audience: a token that names one issuer and is
   * signed with the key of another is refused (RFC 8725, section 3.8).
   */
  issuers: Readonly<Record<string, IssuerOptions>>
}

/** The options that say whose tokens are accepted. */
export type IssuersOptions = OneIssuer | SeveralIssuers

const ISSUER_OPTIONS = [...KEY_OPTIONS, 'algorithms', 'audience'] as const satisfies readonly (keyof IssuerOptions)[]
export const ISSUERS_OPTIONS = [...ISSUER_OPTIONS, 'issuer', 'issuers'] as const
const BESIDE: readonly string[] = [...ISSUER_OPTIONS, 'issuer']

/** Whose tokens are accepted, and how many milliseconds their keys may take at most. */
export interface CheckedIssuers {
  readonly issuers: IssuerRules | ReadonlyMap<string, IssuerRules>
  readonly timeout: number
}

/** @throws {TypeError} that names the option that is wrong; it never shows a key. */
export function checkIssuers(options: IssuersOptions, clock: Clock): CheckedIssuers {
  if (options.issuers === undefined) {
    return {
      issuers: checkIssuer(options, issuerName(options.issuer), clock),
      timeout: checkKeyTimeout(options),
    }
  }
  requireNothingBeside(options)
  const given = Object.entries(checkRecord(options.issuers))
  return {
    issuers: new Map(given.map(([issuer, each]) => [issuer, checkNamedIssuer(issuer, each, clock)])),
    timeout: Math.max(...given.map(([, each]) => checkKeyTimeout(each))),
  }
}

function requireNothingBeside(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || !BESIDE.includes(name)) continue
    throw new TypeError(`\`${name}\` is said by each of the \`issuers\`, and cannot be given beside them`)
  }
}

function checkRecord(issuers: unknown): Readonly<Record<string, IssuerOptions>> {
  const isRecord = typeof issuers === 'object' && issuers !== null && !Array.isArray(issuers)
  if (isRecord && Object.keys(issuers).length > 0) return issuers as Readonly<Record<string, IssuerOptions>>
  throw invalid('issuers', 'an object of options by `iss`, not empty', issuers)
}

function checkNamedIssuer(issuer: string, options: IssuerOptions, clock: Clock): IssuerRules {
  const name = `issuers['${issuer}']`
  knownKeys(name, options, ISSUER_OPTIONS)
  try {
    return checkIssuer(options, text('issuers', issuer), clock)
  } catch (error) {
    // Which of them it is, each option could not tell.
    if (error instanceof TypeError) error.message = `\`${name}\`: ${error.message}`
    throw error
  }
}

function checkIssuer(options: IssuerOptions, issuer: string | undefined, clock: Clock): IssuerRules {
  const algorithms = checkAlgorithms(options.algorithms)
  return Object.freeze({
    issuer,
    algorithms,
    audience: checkAudience(options.audience),
    keys: checkKeyOptions(options, algorithms, clock),
  })
}

function checkAlgorithms(given: readonly Algorithm[]): readonly Algorithm[] {
  if (!Array.isArray(given)) throw invalid('algorithms', 'a list of signature algorithms', given)
  const algorithms = texts('algorithms', given).map(name => oneOf('algorithms', name as Algorithm, ALGORITHMS))
  // A server that takes both can be made to take the text of a public key for a secret (RFC 8725, section 2.1).
  if (algorithms.some(isHmac) && !algorithms.every(isHmac)) {
    throw new TypeError('`algorithms` must not mix HS* with public-key algorithms')
  }
  return Object.freeze(algorithms)
}

function issuerName(issuer: unknown): string | undefined {
  if (issuer === false) return undefined
  if (typeof issuer === 'string' && issuer !== '') return issuer
  // With a list nothing would tie a key to its issuer: each could sign for the others.
  throw invalid('issuer', 'a string, or `false` to accept any; several issuers go into `issuers`', issuer)
}

function checkAudience(audience: IssuerOptions['audience'] | undefined): IssuerRules['audience'] {
  if (audience === false) return undefined
  if (audience === undefined) {
    throw invalid('audience', 'a string or a list of strings, or `false` to accept any', audience)
  }
  const [first, ...others] = texts('audience', audience)
  return first === undefined ? undefined : [first, ...others]
}
