/** The difference between two ways of doing the same, from blocks of both in turn. */
export interface Difference {
  /** The mean of the blocks without, in microseconds of CPU a delivery. */
  readonly without: number
  /** What is added to that, as a part of it, and the standard error of that mean. */
  readonly more: number
  readonly error: number
}

/**
 * Measures blocks with something and without it in turn, so that each is compared with its neighbour: runs of different
 * processes differ by more than what is looked for.
 *
 * @param block measures one, in microseconds of CPU a delivery
 */
export async function inPairs(
  pairs: number,
  warmUp: number,
  block: (isWith: boolean) => Promise<number>,
): Promise<Difference> {
  for (let n = 0; n < warmUp; n += 1) await block(n % 2 === 0)
  const differences: number[] = []
  let without = 0
  for (let n = 0; n < pairs; n += 1) {
    // Neither is always the first of its pair.
    const isFirst = n % 2 === 0
    const [one, other] = [await block(isFirst), await block(!isFirst)]
    const [on, off] = isFirst ? [one, other] : [other, one]
    differences.push(on - off)
    without += off / pairs
  }
  const mean = differences.reduce((a, b) => a + b, 0) / pairs
  const variance = differences.reduce((sum, difference) => sum + (difference - mean) ** 2, 0) / (pairs - 1)
  return { without, more: mean / without, error: Math.sqrt(variance / pairs) / without }
}
