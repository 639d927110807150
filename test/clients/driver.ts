/**
 * Reads a stream with a client of somebody else's, set up as its own documentation shows.
 *
 * @param ended is called once it has given up: it will not ask again
 * @returns a function that closes it
 */
export type Driver = (url: string, ended: () => void) => () => void
