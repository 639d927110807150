/**
 * KEYS: the stream of announcements. ARGV: the message, how many are kept, milliseconds they are kept, `PUBLISH` or
 * `SPUBLISH`, the control channel, how many bytes are kept. What is handed out is the id of the entry, a space, and the
 * message; or only the message if it could not be remembered. Then nothing is: whoever was away finds that his place is gone.
 *
 * An entry has `m`, the message, and `t`, the bytes of all up to there. Looking for what is over in bytes is not done for
 * each, but sixteen times on the way to the limit.
 */
export const ANNOUNCE = `
local function totalOf(entries)
  local fields = entries[1] and entries[1][2] or {}
  return fields[3] == 't' and tonumber(fields[4]) or 0
end

local newest = redis.pcall('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local before = newest.err and 0 or totalOf(newest)
local total = before + #ARGV[1]
local id = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'm', ARGV[1], 't', string.format('%.0f', total))
if type(id) ~= 'string' then
  redis.pcall('DEL', KEYS[1])
  return redis.call(ARGV[4], ARGV[5], ARGV[1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local kept = tonumber(ARGV[6])
if math.floor(total * 16 / kept) ~= math.floor(before * 16 / kept) then
  local length = redis.call('XLEN', KEYS[1])
  while length > 1 and total - totalOf(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)) > kept do
    -- Some at once, where they are many.
    length = length - math.max(1, math.floor(length / 64))
    redis.call('XTRIM', KEYS[1], 'MAXLEN', length)
  end
end
return redis.call(ARGV[4], ARGV[5], id .. ' ' .. ARGV[1])
`

/**
 * KEYS: the stream of announcements, and the log. ARGV: milliseconds that they are kept, the id of the last one that was heard,
 * or nothing; `PUBLISH` or `SPUBLISH`, the control channel, the message that says that announcements are lost, how many are
 * answered at most, and for how many milliseconds an instance that has heard none yet has been there.
 *
 * Answers the last one that was heard and what was announced after it; to an instance that has heard none a place, marked
 * `s`, and what was announced since it has been there. Where that cannot be told for sure, the last one there is, and where there
 * is none an entry without a message, which makes a place.
 *
 * One that is gone was too old to be kept; or a fail-over has lost it, and perhaps others with it, of which nobody else may
 * know: then all are told, and nobody's place is left to whoever is away.
 */
export const ANNOUNCED = `
local heard, time = ARGV[2], redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000

local function isBefore(one, other)
  local ms, n = string.match(one, '^(%d+)-(%d+)$')
  local otherMs, otherN = string.match(other, '^(%d+)-(%d+)$')
  if ms ~= otherMs then return tonumber(ms) < tonumber(otherMs) end
  return tonumber(n) < tonumber(otherN)
end

-- Behind all places that anybody may have.
local function nextTo(id)
  local ms = math.max(tonumber(string.match(id, '^%d+')), tonumber(string.match(heard, '^%d+')))
  return string.format('%.0f-0', math.max(ms + 1, now))
end

-- A server that takes no writes still answers.
redis.pcall('PEXPIRE', KEYS[1], ARGV[1])
if heard ~= '' then
  local since = redis.call('XRANGE', KEYS[1], heard, '+', 'COUNT', ARGV[6])
  if since[1] and since[1][1] == heard then return since end
end

local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local start = math.floor(now - ARGV[7] - 1000)
-- Where the log itself is younger, nobody was there before to announce anything.
local base = redis.call('HGET', KEYS[2], 'base')
local isNew = heard == '' and (not base or base / 1000 > start)
if #newest > 0 then
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][1]
  if isNew or heard == '' and isBefore(oldest, string.format('%.0f-0', start)) then
    local since = redis.call('XRANGE', KEYS[1], string.format('%.0f', start), '+', 'COUNT', ARGV[6] - 1)
    table.insert(since, 1, { #since > 0 and oldest or newest[1][1], { 's', '' } })
    return since
  end
  if heard == '' or isBefore(heard, oldest) then return newest end
  local id = nextTo(newest[1][1])
  if type(redis.pcall('DEL', KEYS[1])) ~= 'number' then return newest end
  redis.call('XADD', KEYS[1], id, 'm', ARGV[5])
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  redis.call(ARGV[3], ARGV[4], id .. ' ' .. ARGV[5])
  return { { id, { 'm', ARGV[5] } } }
end
local id = redis.pcall('XADD', KEYS[1], '*', 'b', '')
if type(id) ~= 'string' then return {} end
redis.pcall('PEXPIRE', KEYS[1], ARGV[1])
return { { id, { isNew and 's' or 'b', '' } } }
`
