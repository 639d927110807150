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

local count, bytes, age, publish = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[6]
local now = clock()
local log = state(ARGV[1], now, ARGV[7])
local seq, id = tonumber(log[2]), log[2]
local at = text(math.floor(now / 1000))
-- Looking for what is over in bytes is not done for each event, but sixteen times on the way to the limit.
local step = math.max(1, math.floor(bytes / 16))
local topics, isNewToLog = {}, false

local function open(index)
  local stream, name = KEYS[index + 2], ARGV[5 + index * 2]
  local known = log[6]
  if index > 1 then known = redis.call('HGET', KEYS[1], 't:' .. name) end
  local previous, before, isNew = lastOf(log, name, known)
  -- What a topic left behind in an earlier life of the log would stand in the way of lower ids.
  -- It comes second: for want of memory Redis refuses a script at the first command that takes some, and not after.
  if isNew then
    redis.call('HSET', KEYS[1], 'seq', log[2])
    redis.call('UNLINK', stream)
  end
  isNewToLog = isNewToLog or not known
  return { stream = stream, name = name, channel = ARGV[6 + index * 2], previous = previous, total = before }
end

local function trim(stream, total)
  while true do
    local entries = redis.call('XRANGE', stream, '-', '+', 'COUNT', 32)
    if #entries == 0 then return end
    for _, entry in ipairs(entries) do
      if total - tonumber(string.match(entry[2][2], '%d+$')) <= bytes then
        redis.call('XTRIM', stream, 'MINID', entry[1])
        return
      end
    end
    redis.call('XTRIM', stream, 'MAXLEN', redis.call('XLEN', stream) - #entries)
  end
end

local function append(topic, body, shared)
  local previous, before = topic.previous, topic.total
  local head = previous .. ' ' .. at .. ' ' .. text(before)
  local added = redis.pcall('XADD', topic.stream, 'MAXLEN', count, id .. '-0', 'h', head, 'd', body)
  if type(added) == 'table' and added.err then return nil, added.err end
  local total = before + 7 + #log[1] + #id + #body
  if math.floor(before / step) ~= math.floor(total / step) then
    trim(topic.stream, total)
    redis.call('XTRIM', topic.stream, 'MINID', text(math.max(0, now - age * 1000)))
  end
  topic.previous, topic.total, topic.changed = id, total, true
  redis.call(publish, topic.channel, '1 ' .. log[1] .. ' ' .. id .. ' ' .. previous .. ' ' .. at .. shared .. '\n' .. body)
  return previous
end

local function putAside()
  redis.call('UNLINK', KEYS[2])
  redis.call('RENAME', KEYS[1], KEYS[2])
  local forgotten = log[5] == '0' and log[4] or log[5]
  redis.call('HSET', KEYS[1], 'epoch', log[1], 'seq', id, 'base', log[3], 'forgotten', forgotten, 'closed', id)
end

local answer = { log[1] }
for argument = 3 + #KEYS * 2, #ARGV, 2 do
  seq = math.max(seq + 1, now)
  id = text(seq)
  local places = { id }
  local _, spaces = string.gsub(ARGV[argument + 1], ' ', '')
  for number in string.gmatch(ARGV[argument + 1], '%d+') do
    local index = tonumber(number)
    topics[index] = topics[index] or open(index)
    local previous, failure = append(topics[index], ARGV[argument], ' ' .. (spaces + 1))
    if failure then
      places = { false, failure }
      break
    end
    places[#places + 1] = previous
  end
  answer[#answer + 1] = places
end
local changes = { 'seq', id }
for _, topic in pairs(topics) do
  if topic.changed then
    changes[#changes + 1] = 't:' .. topic.name
    changes[#changes + 1] = topic.previous .. ' ' .. text(topic.total)
    redis.call('PEXPIRE', topic.stream, age)
  end
  -- Lua can hand over some thousand arguments, and no more.
  if #changes > 1000 then
    redis.call('HSET', KEYS[1], unpack(changes))
    changes = { 'seq', id }
  end
end
redis.call('HSET', KEYS[1], unpack(changes))
if isNewToLog and redis.call('HLEN', KEYS[1]) > tonumber(ARGV[5]) then putAside() end
return answer
