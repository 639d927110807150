// Redis runs each script atomically. Sorted sets store times as doubles, which hold milliseconds exactly.
export const MILLISECONDS = `
local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`

const TAKE = `${MILLISECONDS}
local function take(key, holder, now, ttl)
  redis.call('ZADD', key, string.format('%.0f', now + ttl), holder)
  if redis.call('PTTL', key) < tonumber(ttl) then redis.call('PEXPIRE', key, ttl) end
end
`

/** KEYS: leases. ARGV: holder, milliseconds, the maximum. Returns 1 if the holder has one of them, else 0. */
export const LEASE = `${TAKE}
local now = milliseconds()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local isTaken = redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3])
if isTaken and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
take(KEYS[1], ARGV[1], now, ARGV[2])
return 1
`

/**
 * KEYS: leases. ARGV: holder, milliseconds, the maximum. Returns the name of the lease, and of those that are revoked.
 * A name begins with the time when the lease was taken, in 15 digits, so that names sort by age, which renewal does not
 * change. Leases without it are older than those.
 */
export const SUPERSEDE = `${TAKE}
local function age(name)
  return tonumber(string.match(name, '^(%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d):')) or 0
end

local now = milliseconds()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local names = redis.call('ZRANGE', KEYS[1], 0, -1)
local ages = {}
local since = now
for _, name in ipairs(names) do
  ages[name] = age(name)
  -- Two may be taken in one millisecond, and the clock may have been set back.
  since = math.max(since, ages[name] + 1)
end
local own = string.format('%015.0f:', since) .. ARGV[1]
take(KEYS[1], own, now, ARGV[2])
table.sort(names, function(a, b) return ages[a] < ages[b] or (ages[a] == ages[b] and a < b) end)
local answer = { own }
for index = 1, #names + 1 - tonumber(ARGV[3]) do
  redis.call('ZREM', KEYS[1], names[index])
  answer[#answer + 1] = names[index]
end
return answer
`

/** KEYS: leases. Returns how many are taken, and changes nothing. */
export const TAKEN = `${MILLISECONDS}
return redis.call('ZCOUNT', KEYS[1], string.format('(%.0f', milliseconds()), '+inf')
`

/** KEYS: leases. ARGV: milliseconds, then the holder of each. */
export const RENEW_LEASES = `${TAKE}
local now = milliseconds()
for index, key in ipairs(KEYS) do take(key, ARGV[index + 1], now, ARGV[1]) end
return 1
`

/** KEYS: leases. ARGV: the holder of each. */
export const RELEASE = `
for index, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[index]) end
return 1
`
