import { MILLISECONDS } from './lease-scripts.ts'

/** KEYS: instances. ARGV: instance, milliseconds, milliseconds that the dead are kept. Answers 1 if it was alive, else 0. */
export const BEAT = `${MILLISECONDS}
local now = milliseconds()
local till = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if till and tonumber(till) > now then return 1 end
return 0
`

/** KEYS: instances. Answers those that live. */
export const INSTANCES = `${MILLISECONDS}
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', milliseconds()), '+inf')
`
