/**
 * Asks Prometheus, at its address, by its HTTP API.
 *
 * @throws {Error} with what it says about a query that it does not accept
 */
export async function ask<Data>(
  prometheus: string,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Data> {
  const response = await fetch(`${prometheus}/api/v1/${path}?${new URLSearchParams(query).toString()}`)
  const { status, data, error } = (await response.json()) as { status: string; data: Data; error?: string }
  if (status !== 'success') throw new Error(`${JSON.stringify(query)}: ${String(error)}`)
  return data
}
