/**
 * The log's scripts. Redis runs each as one step, so that ids, history and hand-out never disagree.
 *
 * The log is a hash:
 * - `epoch`: this life of the log; `seq`: its last event, or its beginning; `base`: up to here all is of an earlier life
 * - `t:<topic>`: `<seq> <bytes>`, the topic's last event and the bytes of all it ever had
 * - `forgotten`: of a topic that is nowhere, nothing after this is known to have been published
 * - `closed`: the `seq` at which the hash before this one was put aside, 0 if none was
 *
 * When it has more topics than it should, it is put aside as `older`, and a new hash takes over what is not about topics.
 * Topics that are published to come over; the others are forgotten with the next change, so that both are bounded. If
 * the log is lost, by FLUSHALL, DEL or eviction, a new life begins; if only `older` is, its topics count as having had an
 * event until it was closed.
 *
 * Numbers of this size lose digits in Lua's own conversion to text, hence `%.0f`. Every call of a command costs more than
 * anything else here, hence few of them.
 */
const PRELUDE = `
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
`

/**
 * Publishes some events, one after another: what it takes to run a script, and to keep the log's state, is paid once for
 * all of them. An event that fails does not stop the others.
 *
 * KEYS: log, older, then the stream of each topic.
 * ARGV: a new epoch, events / bytes / milliseconds a topic keeps, topics a hash keeps, `PUBLISH` or `SPUBLISH`, then name
 * and channel of each topic, then lines of each event and the numbers of its topics, from 1. Answers the epoch, and for
 * each event its `seq` and the `seq` of the event before it on each of its topics; or nothing in place of its `seq`, and
 * what went wrong.
 *
 * An entry of a topic's stream has `h`, with previous `seq`, milliseconds and bytes before it, and `d`, its lines.
 */
export const PUBLISH = `${PRELUDE}
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
  redis.call(publish, topic.channel, '1 ' .. log[1] .. ' ' .. id .. ' ' .. previous .. ' ' .. at .. shared .. '\\n' .. body)
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
`

/**
 * KEYS: log, older, then the stream of each topic.
 * ARGV: a new epoch, how many bytes of events are enough; then name of each topic, the `seq` after which its events are
 * wanted, and how many.
 * Answers epoch, `seq`, base and milliseconds of the log, then for each topic the `seq` of its last event; a list of events,
 * each as `seq`, previous `seq` and milliseconds in one text, and lines; and whether there are more of them.
 */
export const READ = `${PRELUDE}
local now = clock()
local log = state(ARGV[1], now, '')
local most, spent = tonumber(ARGV[2]), 0

local function read(stream, after, last, count)
  local events, from, step = {}, '(' .. after .. '-0', 16
  while count > 0 do
    if spent >= most then return events, '1' end
    step = math.min(step, count)
    local entries = redis.call('XRANGE', stream, from, last .. '-0', 'COUNT', step)
    for _, entry in ipairs(entries) do
      local head, lines = entry[2][2], entry[2][4]
      if spent > 0 and spent + #lines > most then
        -- Nothing more is looked at: of many topics that would cost more than all that is answered.
        spent = most
        return events, '1'
      end
      spent = spent + #lines
      events[#events + 1] = { string.match(entry[1], '^%d+') .. ' ' .. head, lines }
    end
    if #entries < step then break end
    count = count - #entries
    step = math.min(step * 2, 64)
    from = '(' .. entries[#entries][1]
  end
  return events, '0'
end

local answer = { log[1], log[2], log[3], text(math.floor(now / 1000)) }
for index = 1, #KEYS - 2 do
  local topic, after, count = ARGV[index * 3], ARGV[index * 3 + 1], tonumber(ARGV[index * 3 + 2])
  local last = lastOf(log, topic, redis.call('HGET', KEYS[1], 't:' .. topic))
  local events, more = {}, '0'
  if tonumber(after) < tonumber(log[3]) then after = log[3] end
  -- Behind the last one stands what an earlier life of the log has left, if the clock was ahead then.
  if tonumber(after) < tonumber(last) then events, more = read(KEYS[index + 2], after, last, count) end
  answer[#answer + 1] = { last, events, more }
end
return answer
`

/**
 * Begins a new life of the log, unless somebody else has done so.
 *
 * KEYS: log, older. ARGV: a new epoch, the epoch that is over, a `seq` to be over, `PUBLISH` or `SPUBLISH`, the control
 * channel, the message that tells all instances.
 */
export const RENEW = `${PRELUDE}
local now = clock()
local log = state(ARGV[1], now, '')
if log[1] == ARGV[2] then
  begin(ARGV[1], math.max(now, tonumber(log[2]), tonumber(ARGV[3])))
  redis.call(ARGV[4], ARGV[5], ARGV[6])
end
return 1
`
