/** Options of a mount that all clients may open at once, from one address. */
export const NO_LIMITS = {
  authenticate: false,
  heartbeat: false,
  limits: { address: 1_000_000, process: 1_000_000 },
} as const
