/**
 * KEYS: the stream of announcements. ARGV: the message, how many are kept, milliseconds they are kept, `PUBLISH` or
 * `SPUBLISH`, the control channel, how many bytes are kept. Publishes the id of the entry, a space, and the message; or
 * only the message if it could not be stored. In that case the stream is deleted: whoever was away finds that its place
 * is gone.
 *
 * An entry has `m`, the message, and `t`, the total bytes up to and including it. The check of the byte limit does not
 * run for each entry, but sixteen times within the limit.
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
    -- Several at once if there are many.
    length = length - math.max(1, math.floor(length / 64))
    redis.call('XTRIM', KEYS[1], 'MAXLEN', length)
  end
end
return redis.call(ARGV[4], ARGV[5], id .. ' ' .. ARGV[1])
`

/**
 * KEYS: the stream of announcements, and the log. ARGV: milliseconds that they are kept, the id of the last one
 * received, or nothing; `PUBLISH` or `SPUBLISH`, the control channel, the message that says that announcements are
 * lost, the most to return, and for how many milliseconds an instance without a place has existed.
 *
 * Returns the last one received and the ones after it; for an instance without a place, a place marked `s`, and the
 * ones since the instance started. If that cannot be determined, the last entry, and if there is none a new entry
 * without a message, to make a place.
 *
 * A missing place was too old to be kept; or a failover has lost it, and perhaps others that no other instance can know
 * of: then all instances are notified, and the stream starts anew, so that no absent instance finds its place.
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

-- Beyond any place an instance may have.
local function nextTo(id)
  local ms = math.max(tonumber(string.match(id, '^%d+')), tonumber(string.match(heard, '^%d+')))
  return string.format('%.0f-0', math.max(ms + 1, now))
end

-- A read-only server still responds.
redis.pcall('PEXPIRE', KEYS[1], ARGV[1])
if heard ~= '' then
  local since = redis.call('XRANGE', KEYS[1], heard, '+', 'COUNT', ARGV[6])
  if since[1] and since[1][1] == heard then return since end
end

local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local start = math.floor(now - ARGV[7] - 1000)
-- If the log itself is younger, there was no instance before to announce anything.
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
