/**
 * CRC-32 of bytes that are put together from parts whose CRCs are known, as zlib's `crc32_combine` does it. A CRC is the
 * remainder of a polynomial over GF(2): bytes that follow multiply it by a power of x, and their own remainder is added.
 * Remainders are signed 32-bit integers, which V8 keeps without a number on the heap.
 */

// CRC-32's polynomial (RFC 1952, section 8), with the bits in reverse order, as all remainders here have them.
const POLYNOMIAL = 0xed_b8_83_20 | 0
const ONE = 1 << 31
const X = 1 << 30
const BITS = 32
// A byte is x to the power of 8, which is 2 to the power of this.
const BYTE = 3

// x to the powers of 2 to the power of 0 to 31. After these they repeat.
const POWERS = squares()

/** The CRC of bytes that have this CRC, as their part in the CRC of the same and so many bytes behind them. */
export function shift(crc: number, length: number): number {
  let power = ONE
  let exponent = BYTE
  for (let rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply(POWERS[exponent % BITS] ?? ONE, power)
    exponent += 1
  }
  return multiply(power, crc)
}

function multiply(a: number, b: number): number {
  let product = 0
  let factor = b
  for (let bit = 0; bit < BITS; bit += 1) {
    if ((a << bit) & ONE) product ^= factor
    factor = factor & 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1
  }
  return product | 0
}

function squares(): readonly number[] {
  const powers = [X]
  for (let power = X; powers.length < BITS; powers.push(power)) power = multiply(power, power)
  return powers
}
