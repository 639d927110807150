import { MILLISECONDS } from './lease-scripts.ts'

/*
 * The roster in Redis:
 *
 * - instances, a sorted set: when each one's lease expires. A dead one stays until its entries have been removed.
 * - numbers, a hash: the number of each instance's last change
 * - entries of an instance, a set: `topic`, a line break, `id`. They tell what a dead instance had.
 * - a room for each topic, a hash: by the id of each member, when it joined, its instances, separated by commas, and its
 *   info, separated by spaces; by the empty id, the version
 * - untold, a sorted set: topics with unannounced changes, by when they changed
 * - the last version of any topic, a string: microseconds, so that it increases even after all data was lost
 *
 * Unused keys expire.
 */

/**
 * KEYS: instances, numbers. ARGV: instance, milliseconds, milliseconds until unused keys expire. Returns the number of
 * its last change; nothing if its lease had expired.
 */
export const BEAT = `${MILLISECONDS}
local now = milliseconds()
local till = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
if not till or tonumber(till) <= now then return false end
return redis.call('HGET', KEYS[2], ARGV[1]) or '0'
`

/** KEYS: instances. Returns those that are alive. */
export const INSTANCES = `${MILLISECONDS}
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', milliseconds()), '+inf')
`

/**
 * KEYS: instances, numbers, the instance's entries. ARGV: instance, `any`, or `dead` to skip an instance that is alive.
 * It is deleted if it has no entries, else marked dead.
 */
export const FORGET = `${MILLISECONDS}
local till = redis.call('ZSCORE', KEYS[1], ARGV[1])
if ARGV[2] == 'dead' and till and tonumber(till) > milliseconds() then return 0 end
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', milliseconds()), ARGV[1])
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
`

/**
 * KEYS: instances, numbers, the instance's entries, untold, the last version, then the room of each change. ARGV:
 * instance, the number of the change, or 0 to remove the entries of a dead instance; milliseconds until unused keys
 * expire; then for each change the topic, the id and its info, or nothing if it has left.
 *
 * Returns the topics whose presence has changed; nothing if a dead instance is alive again.
 */
export const CHANGE = `${MILLISECONDS}
local instance, number, kept = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local now = milliseconds()
local till = redis.call('ZSCORE', KEYS[1], instance)
if number == 0 then
  if till and tonumber(till) > now then return false end
else
  if number <= tonumber(redis.call('HGET', KEYS[2], instance) or '0') then return {} end
  redis.call('HSET', KEYS[2], instance, ARGV[2])
  redis.call('PEXPIRE', KEYS[2], kept)
  -- An instance without a lease is marked dead, so that its entries are removed if it never gets one.
  if not till then
    redis.call('ZADD', KEYS[1], string.format('%.0f', now), instance)
    redis.call('PEXPIRE', KEYS[1], kept)
  end
end

local version
local function newVersion()
  if version then return version end
  local time = redis.call('TIME')
  local last = tonumber(redis.call('GET', KEYS[5]) or '0')
  version = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
  redis.call('SET', KEYS[5], version, 'PX', kept)
  return version
end

local function enter(room, id, info)
  local value = redis.call('HGET', room, id)
  if not value then
    redis.call('HSET', room, id, newVersion() .. ' ' .. instance .. ' ' .. info)
    return true
  end
  local since, holders, said = string.match(value, '^(%d+) (%S*) (.*)$')
  if not string.find(',' .. holders .. ',', ',' .. instance .. ',', 1, true) then
    holders = holders .. ',' .. instance
  elseif said == info then
    return false
  end
  redis.call('HSET', room, id, since .. ' ' .. holders .. ' ' .. info)
  return said ~= info
end

local function leave(room, id)
  local value = redis.call('HGET', room, id)
  if not value then return false end
  local since, holders, said = string.match(value, '^(%d+) (%S*) (.*)$')
  local left = {}
  for holder in string.gmatch(holders, '[^,]+') do
    if holder ~= instance then left[#left + 1] = holder end
  end
  if #left == 0 then
    redis.call('HDEL', room, id)
    return true
  end
  redis.call('HSET', room, id, since .. ' ' .. table.concat(left, ',') .. ' ' .. said)
  return false
end

local moved, seen, rooms = {}, {}, {}
for index = 6, #KEYS do
  local at = 4 + (index - 6) * 3
  local room, topic, id, info = KEYS[index], ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local entry = topic .. '\\n' .. id
  local isSeen
  if info == '' then
    redis.call('SREM', KEYS[3], entry)
    isSeen = leave(room, id)
  else
    redis.call('SADD', KEYS[3], entry)
    isSeen = enter(room, id, info)
  end
  rooms[room] = true
  if isSeen and not seen[topic] then
    seen[topic] = true
    moved[#moved + 1] = topic
    redis.call('HSET', room, '', newVersion())
    redis.call('ZADD', KEYS[4], 'NX', string.format('%.0f', now), topic)
  end
end
for room in pairs(rooms) do
  -- An empty room has no version.
  if redis.call('HLEN', room) <= 1 then redis.call('DEL', room)
  else redis.call('PEXPIRE', room, kept) end
end
redis.call('PEXPIRE', KEYS[3], kept)
redis.call('PEXPIRE', KEYS[4], kept)
return moved
`

/**
 * KEYS: room. ARGV: the most members to return. Returns the version, the number of members, and ids and values in turn.
 */
export const PRESENT = `
local count, most = redis.call('HLEN', KEYS[1]), tonumber(ARGV[1])
if count == 0 then return { '', '0' } end
local answer = { redis.call('HGET', KEYS[1], '') or '', string.format('%.0f', count - 1) }
local seen, left = { [''] = true }, most
local function take(page)
  for at = 1, #page, 2 do
    if left > 0 and not seen[page[at]] then
      seen[page[at]] = true
      left = left - 1
      answer[#answer + 1] = page[at]
      answer[#answer + 1] = page[at + 1]
    end
  end
end

if count - 1 <= most then
  take(redis.call('HGETALL', KEYS[1]))
  return answer
end
-- Reads only as much of a crowd as is returned; a scan may return a member twice.
local cursor = '0'
while left > 0 do
  local page = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', math.min(most, 1000))
  cursor = page[1]
  take(page[2])
  if cursor == '0' then break end
end
return answer
`

/** KEYS: room, untold. ARGV: topic, version. Returns 1 if that is the current one, else 0. */
export const TOLD = `
if (redis.call('HGET', KEYS[1], '') or '') ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
`

/**
 * KEYS: instances, untold. ARGV: milliseconds, the most instances and topics. Returns dead instances, and topics that
 * have been pending for so long.
 */
export const CHORES = `${MILLISECONDS}
local now = milliseconds()
local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[2])
local untold = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - ARGV[1]), 'LIMIT', 0, ARGV[2])
for _, topic in ipairs(untold) do redis.call('ZADD', KEYS[2], 'XX', string.format('%.0f', now), topic) end
return { dead, untold }
`
