/**
 * Combines the CRC-32s of parts into that of the whole, like zlib's `crc32_combine`. A CRC is the remainder of a
 * polynomial over GF(2): appending bytes multiplies it by a power of x, and adds their own remainder. Remainders are
 * signed 32-bit integers, which V8 stores without a heap allocation.
 */

// The polynomial of CRC-32 (RFC 1952, section 8), in reversed bit order, like all remainders here.
const POLYNOMIAL = 0xed_b8_83_20 | 0
const ONE = 1 << 31
const X = 1 << 30
const BITS = 32
// A byte is x to the power of 8, which is 2 to this power.
const BYTE = 3

// x to the power of 2^n, for n from 0 to 31. They repeat after that.
const POWERS = squares()

/** Shifts a CRC over `length` appended bytes: XORed with the CRC of those, it is the CRC of the whole. */
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
