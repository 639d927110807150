/**
 * KEYS: the stream of announcements. ARGV: the message, how many are kept, milliseconds they are kept, `PUBLISH` or
 * `SPUBLISH`, the control channel. What is handed out is the id of the entry, a space, and the message; or only the
 * message if it could not be remembered. Then nothing is: whoever was away finds that his place is gone.
 */
export const ANNOUNCE = `
local id = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'm', ARGV[1])
if type(id) ~= 'string' then
  redis.pcall('DEL', KEYS[1])
  return redis.call(ARGV[4], ARGV[5], ARGV[1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call(ARGV[4], ARGV[5], id .. ' ' .. ARGV[1])
`

/**
 * KEYS: the stream of announcements. ARGV: milliseconds that they are kept, and the id of the last one that was heard, or
 * nothing. Answers that one and what was announced after it; without it, or where it is gone, the last one there is. Where
 * there is none an entry without a message makes a place.
 */
export const ANNOUNCED = `
-- A server that takes no writes still answers.
redis.pcall('PEXPIRE', KEYS[1], ARGV[1])
local heard = ARGV[2] ~= '' and redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2]) or {}
if #heard > 0 then return redis.call('XRANGE', KEYS[1], ARGV[2], '+') end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #newest > 0 then return newest end
local id = redis.pcall('XADD', KEYS[1], '*', 'b', '')
if type(id) ~= 'string' then return {} end
redis.pcall('PEXPIRE', KEYS[1], ARGV[1])
return { { id, { 'b', '' } } }
`
