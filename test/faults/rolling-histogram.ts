const BINS = 10
const WIDTH = 40

/** How many of the times, in milliseconds, are in each tenth of the way from one time to another. */
export function tenths(times: readonly number[], from: number, to: number): number[] {
  const width = (to - from) / BINS
  return Array.from({ length: BINS }, (_, bin) => {
    const start = from + bin * width
    // The end itself belongs to the last one.
    const end = bin === BINS - 1 ? to + 1 : start + width
    return times.filter(time => time >= start && time < end).length
  })
}

/** The same for people to look at. */
export function histogram(title: string, times: readonly number[], from: number, to: number): string {
  const counts = tenths(times, from, to)
  const most = Math.max(...counts)
  const lines = counts.map((count, bin) => {
    const [start, end] = [bin, bin + 1].map(edge => ((from + ((to - from) / BINS) * edge) / 1_000).toFixed(2))
    return `${start ?? ''}–${end ?? ''} s ${String(count).padStart(5)} ${'█'.repeat(Math.round((count / most) * WIDTH))}`
  })
  const late = times.filter(time => time > to).length
  return [title, ...lines, `later       ${String(late).padStart(5)}`].join('\n')
}
