import type { Clock } from '../../clock.ts'
import { invalid, knownKeys, oneOf, text, texts } from '../../options.ts'
import { checkKeyOptions, checkKeyTimeout, KEY_OPTIONS, type KeyOptions } from '../keys/options.ts'
import { ALGORITHMS, isHmac, type Algorithm } from '../keys/verification-key.ts'
import type { IssuerRules } from './verifier.ts'

/** Options for the tokens of one issuer. */
export interface IssuerOptions extends KeyOptions {
  /** The accepted signature algorithms. HS* cannot be mixed with the others. */
  algorithms: readonly Algorithm[]
  /** The accepted audiences (`aud`), or `false` to accept any. */
  audience: string | readonly string[] | false
}

/** Options for a single issuer. */
export interface OneIssuer extends IssuerOptions {
  /** The accepted issuer (`iss`), or `false` for any issuer that has the key. For several issuers use `issuers`. */
  issuer: string | false
  issuers?: undefined
}

/** Options for several issuers. */
export type SeveralIssuers = Partial<Record<Exclude<keyof OneIssuer, 'issuers'>, undefined>> & {
  /**
   * The issuers by `iss`, each with its own keys, algorithms and audience: a token that names one issuer and is signed
   * with the key of another is refused (RFC 8725, section 3.8).
   */
  issuers: Readonly<Record<string, IssuerOptions>>
}

/** Options for the accepted issuers. */
export type IssuersOptions = OneIssuer | SeveralIssuers

const ISSUER_OPTIONS = [...KEY_OPTIONS, 'algorithms', 'audience'] as const satisfies readonly (keyof IssuerOptions)[]
export const ISSUERS_OPTIONS = [...ISSUER_OPTIONS, 'issuer', 'issuers'] as const
const BESIDE: readonly string[] = [...ISSUER_OPTIONS, 'issuer']

/** The accepted issuers, and how long fetching their keys may take, in milliseconds. */
export interface CheckedIssuers {
  readonly issuers: IssuerRules | ReadonlyMap<string, IssuerRules>
  readonly timeout: number
}

/** @throws {TypeError} naming the invalid option, never showing a key. */
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
    throw new TypeError(`\`${name}\` cannot be combined with \`issuers\`: set it for each issuer`)
  }
}

function checkRecord(issuers: unknown): Readonly<Record<string, IssuerOptions>> {
  const isRecord = typeof issuers === 'object' && issuers !== null && !Array.isArray(issuers)
  if (isRecord && Object.keys(issuers).length > 0) return issuers as Readonly<Record<string, IssuerOptions>>
  throw invalid('issuers', 'a non-empty object of options by `iss`', issuers)
}

function checkNamedIssuer(issuer: string, options: IssuerOptions, clock: Clock): IssuerRules {
  const name = `issuers['${issuer}']`
  knownKeys(name, options, ISSUER_OPTIONS)
  try {
    return checkIssuer(options, text('issuers', issuer), clock)
  } catch (error) {
    // Add which issuer the option belongs to.
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
  // With both, an attacker could use the text of a public key as an HMAC secret (RFC 8725, section 2.1).
  if (algorithms.some(isHmac) && !algorithms.every(isHmac)) {
    throw new TypeError('`algorithms` must not mix HS* with public-key algorithms')
  }
  return Object.freeze(algorithms)
}

function issuerName(issuer: unknown): string | undefined {
  if (issuer === false) return undefined
  if (typeof issuer === 'string' && issuer !== '') return issuer
  // A list would not tie keys to issuers: each issuer could sign for the others.
  throw invalid('issuer', 'a string, or `false` to accept any; for several issuers use `issuers`', issuer)
}

function checkAudience(audience: IssuerOptions['audience'] | undefined): IssuerRules['audience'] {
  if (audience === false) return undefined
  if (audience === undefined) {
    throw invalid('audience', 'a string or a list of strings, or `false` to accept any', audience)
  }
  const [first, ...others] = texts('audience', audience)
  return first === undefined ? undefined : [first, ...others]
}
