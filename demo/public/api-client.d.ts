/** There is no login, or no more: only a new one helps. */
export class LoginEnded extends Error {}

/** Calls the API with an access token, and has it renewed when it is refused. */
export class ApiClient {
  /** @param base where the API is, with a slash at its end */
  constructor(base: URL)

  readonly isLoggedIn: boolean

  /** The address of something below the API's. */
  url(path: string): URL

  /**
   * @throws {LoginEnded} as a rejection, for a wrong user name or password
   * @throws {Error} as a rejection, where the API does not answer, or not with tokens
   */
  logIn(username: string, password: string): Promise<void>

  /**
   * Has all tokens of the login revoked.
   *
   * @throws {Error} as a rejection, where the API does not answer, or not with success; the login stands then
   */
  logOut(): Promise<void>

  /**
   * The header that shows who asks.
   *
   * @throws {LoginEnded} where there is no login
   */
  readonly authorization: Readonly<Record<'Authorization', string>>

  /**
   * Gets the next access token.
   *
   * @throws {LoginEnded} as a rejection, where there is no login, or it could not be refreshed
   * @throws {Error} as a rejection, where the API does not answer, or not with tokens
   */
  refresh(): Promise<void>

  /**
   * `fetch` below the API's address, with the token.
   *
   * @throws {LoginEnded} as a rejection, where there is no login, or it could not be refreshed
   */
  fetch(
    path: string,
    init?: { method?: string; headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Response>
}
