local function text(number) return string.format('%.0f', number) end

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function begin(epoch, seq)
  seq = text(seq)
  redis.call('DEL', KEYS[1])
  redis.call('UNLINK', KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'seq', seq, 'base', seq, 'forgotten', seq, 'closed', '0')
end

-- Epoch, seq, base, forgotten, closed, and what is known of the topic.
local function state(newEpoch, now, topic)
  local log = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'base', 'forgotten', 'closed', 't:' .. topic)
  if log[1] then return log end
  begin(newEpoch, now)
  return redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'base', 'forgotten', 'closed', 't:' .. topic)
end

-- The seq of the topic's last event, the bytes it ever had, and whether it is new to the log.
local function lastOf(log, topic, known)
  if not known and log[5] ~= '0' then
    known = redis.call('HGET', KEYS[2], 't:' .. topic)
    if not known and redis.call('EXISTS', KEYS[2]) == 0 then return log[5], 0, true end
  end
  if not known then return log[4], 0, true end
  local seq, bytes = string.match(known, '^(%d+) (%d+)$')
  return seq, tonumber(bytes), false
end

local now = clock()
local log = state(ARGV[1], now, '')
local answer = { log[1], log[2], log[3], text(math.floor(now / 1000)) }
for index = 1, #KEYS - 2 do
  local topic, after, count = ARGV[index * 3 - 1], ARGV[index * 3], ARGV[index * 3 + 1]
  local last = lastOf(log, topic, redis.call('HGET', KEYS[1], 't:' .. topic))
  local events = {}
  if count ~= '0' then
    if tonumber(after) < tonumber(log[3]) then after = log[3] end
    -- Behind the last one stands what an earlier life of the log has left, if the clock was ahead then.
    for _, entry in ipairs(redis.call('XRANGE', KEYS[index + 2], '(' .. after .. '-0', last .. '-0', 'COUNT', count)) do
      events[#events + 1] = { string.match(entry[1], '^%d+') .. ' ' .. entry[2][2], entry[2][4] }
    end
  end
  answer[#answer + 1] = { last, events }
end
return answer
