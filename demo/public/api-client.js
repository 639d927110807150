/** There is no login, or no more: only a new one helps. */
export class LoginEnded extends Error {}

/**
 * Calls the API with an access token, and has it renewed when it is refused. Runs in browsers and in Node. Tokens are kept
 * in memory only: no script of another page, and no later visitor, finds them anywhere.
 */
export class ApiClient {
  #base
  #tokens
  #refreshing

  constructor(base) {
    this.#base = base
  }

  get isLoggedIn() {
    return this.#tokens !== undefined
  }

  url(path) {
    return new URL(path, this.#base)
  }

  logIn(username, password) {
    return this.#askForTokens({ username, password })
  }

  async logOut() {
    try {
      const response = await this.fetch('token', { method: 'DELETE' })
      if (!response.ok) throw new Error(`logging out failed with status ${response.status}`)
    } catch (error) {
      // Somebody else has ended it already.
      if (!(error instanceof LoginEnded)) throw error
    }
    this.#tokens = undefined
  }

  /** The header that shows who asks. */
  get authorization() {
    return { Authorization: `Bearer ${this.#accessToken()}` }
  }

  /** Gets the next access token. */
  refresh() {
    return this.#refresh(this.#accessToken())
  }

  async fetch(path, init = {}) {
    const token = this.#accessToken()
    const response = await this.#send(path, init)
    if (response.status !== 401) return response
    await response.body?.cancel()
    await this.#refresh(token)
    return this.#send(path, init)
  }

  #send(path, init) {
    return fetch(this.url(path), { ...init, headers: { ...init.headers, ...this.authorization } })
  }

  #accessToken() {
    if (this.#tokens === undefined) throw new LoginEnded('nobody is logged in')
    return this.#tokens.access_token
  }

  // For all callers at once: a refresh token that is used twice ends the login.
  async #refresh(refused) {
    if (this.#accessToken() !== refused) return
    this.#refreshing ??= this.#askForTokens({
      grant_type: 'refresh_token',
      refresh_token: this.#tokens.refresh_token,
    }).finally(() => (this.#refreshing = undefined))
    await this.#refreshing
  }

  async #askForTokens(grant) {
    const response = await fetch(this.url('token'), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(grant),
    })
    if (response.ok) {
      this.#tokens = await response.json()
      return
    }
    const { error = `no token: status ${response.status}` } = await response.json().catch(() => ({}))
    if (response.status !== 400 && response.status !== 401) throw new Error(error)
    this.#tokens = undefined
    throw new LoginEnded(error)
  }
}
