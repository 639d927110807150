/** The examples of all pages, compiled once for all tests of a process, beside what they import from the reader. */
import { generateKeyPairSync } from 'node:crypto'
import { CHAT_COMPANIONS } from './chat-companions.ts'
import { compileExamples, writeExamples } from './example.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})

export const folder = await writeExamples({
  ...CHAT_COMPANIONS,
  'keys.ts': `export const publicKey = ${JSON.stringify(publicKey)}\n`,
})
/** What the compiler says of them. */
export const complaints = await compileExamples(folder)
export { privateKey, publicKey }
