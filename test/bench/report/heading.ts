import type { Metric } from '../workload.ts'

/** A metric with its unit, as tables and charts have it. */
export function heading({ title, unit }: Metric): string {
  return unit.startsWith('/') ? `${title}${unit}` : `${title}, ${unit}`
}
