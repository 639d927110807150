const THREE_DIGITS = new Intl.NumberFormat('en', {
  minimumSignificantDigits: 3,
  maximumSignificantDigits: 3,
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
  roundingPriority: 'lessPrecision',
})

/** Three significant digits and two decimal places at most, which is more than such figures are good for. */
export function rounded(value: number): string {
  return Number.isFinite(value) ? THREE_DIGITS.format(value) : '–'
}
