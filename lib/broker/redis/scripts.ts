/** The format of the log: what its keys hold, and what is handed out on its channels. Format 1 was that of version 0.1. */
export const FORMAT = '2'

/** With this word begins the error that a script answers where the log is of another format, which it names. */
export const WRONG_FORMAT = 'LOGFORMAT'

/** Milliseconds for which the log remembers a topic's last event at least. */
export const SHORTEST_MEMORY = 60_000

/**
 * The log's scripts. Redis runs each as one step, so that ids, history and hand-out never disagree.
 *
 * The log is a hash:
 * - `format`; `epoch`: this life of the log; `seq`: its last event, or its beginning; `base`: up to here all is of an
 *   earlier life
 * - `memory`: for how many milliseconds it remembers a topic's last event, which is as long as any history reaches back. It
 *   only grows, when somebody publishes who keeps his events for longer; `grown`: when it last did, in microseconds, and
 *   `before`: how long it was until then
 *
 * A topic's last event is a string of its own, `<epoch> <seq> <bytes of all that the topic ever had>`, and until when, in
 * milliseconds, its stream lives, and itself. What is remembered is bounded by time and not by a number of topics: where the
 * string has gone, nothing was published within the log's memory, and what came before is in no history, whoever asks and
 * whatever his own limits are. So the event before another one is known, as `<seq>`, or not, as
 * `~<seq>@<milliseconds>`: then nothing was published after that place, nor after that time.
 *
 * If the log is lost, by FLUSHALL, DEL or eviction, a new life begins. If only one of a topic's two keys is, all of its events
 * up to now count as lost: its stream never outlives what is known of its last event.
 *
 * The guard stands where format 1 has a hash: scripts of that format fail on it before they have changed anything.
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

local function remember(memory, before, grown)
  redis.call('HSET', KEYS[1], 'memory', text(memory), 'before', text(before), 'grown', text(grown))
end

local function begin(epoch, seq, memory)
  redis.call('HSET', KEYS[1], 'format', '${FORMAT}', 'epoch', epoch, 'seq', text(seq), 'base', text(seq))
  remember(memory, memory, 0)
  redis.call('SET', KEYS[2], 'The log is of format ${FORMAT}')
  return { epoch, text(seq), text(seq), memory = memory, before = memory, grown = 0 }
end

-- Epoch, seq and base of the log, and its memory; or an error, which the script has to answer.
local function state(newEpoch, now)
  local log = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'base', 'format', 'memory', 'before', 'grown')
  if not log[1] then return begin(newEpoch, now, ${SHORTEST_MEMORY}) end
  if log[4] ~= '${FORMAT}' then return nil, redis.error_reply('${WRONG_FORMAT} ' .. (log[4] or '1')) end
  log.memory, log.before, log.grown = tonumber(log[5]), tonumber(log[6]), tonumber(log[7])
  return log
end

-- The seq of the topic's last event, the bytes it ever had, until when its stream lives and until when this is known; nothing
-- where they are not, and whether there is anything of an earlier life; and what is wrong with the key.
local function lastOf(key, epoch)
  local known = redis.pcall('GET', key)
  if type(known) == 'table' then return nil, 0, 0, 0, false, known.err end
  if not known then return nil, 0, 0, 0, false end
  local life, seq, bytes, ends, known = string.match(known, '^(%S+) (%d+) (%d+) (%d+) (%d+)$')
  if life ~= epoch then return nil, 0, 0, 0, true end
  return seq, tonumber(bytes), tonumber(ends), tonumber(known), true
end

-- Where nothing is known of a topic. The log may be ahead of a clock that was set back: its seqs say nothing of time then.
local function unknown(log, seq, now)
  local since = math.max(0, now - log.memory * 1000, math.min(log.grown, now - log.before * 1000))
  local bound = seq
  if seq <= now + 1000000 then bound = math.min(seq, math.max(tonumber(log[3]), since)) end
  return '~' .. text(bound) .. '@' .. text(math.floor(since / 1000))
end
`

/**
 * Publishes some events, one after another: what it takes to run a script, and to keep the log's state, is paid once for
 * all of them. An event that fails does not stop the others. One whose key was used before is not published again.
 *
 * KEYS: log, guard, keys, their order, then the stream and the last event of each topic.
 * ARGV: a new epoch, `PUBLISH` or `SPUBLISH`, how many keys are remembered; then the channel of each topic, and
 * `<events> <bytes> <milliseconds>` that it keeps; then lines of each event, and the numbers of its topics, from 1, with a `k`
 * where its key follows, and an `h` where its headers do.
 *
 * Answers lines: the epoch and the log's time in milliseconds, and for each event its `seq` and the event before it on each of
 * its topics; or `!` and what went wrong; or, for a key that was used before, `<epoch>-<seq>` of the first, its milliseconds,
 * and the event before that on each of the topics, `-` where it is not known. One text is far cheaper than many for all who have
 * it in hands.
 *
 * An entry of a topic's stream has `h`: previous event, milliseconds, bytes before it, and its headers if it has any; and `d`,
 * its lines. Keys are a hash of `<end> <epoch>-<seq>`, with their `seq` in a sorted set.
 */
export const PUBLISH = `${PRELUDE}
local publish, mostKeys = ARGV[2], tonumber(ARGV[3])
local now = clock()
local time = math.floor(now / 1000)
local at = text(time)
local log, refusal = state(ARGV[1], now)
if refusal then return refusal end
local seq, id = tonumber(log[2]), log[2]
local topics, lists, limits, keysEnd, keyCount = {}, {}, {}, 0, nil
local mark, tail = '${FORMAT} ' .. log[1] .. ' ', ' ' .. at

-- What was remembered for less is still known until then.
local function grow(memory)
  if log.grown <= now - log.memory * 1000 then log.before = log.memory end
  log.memory, log.grown = memory, now
  remember(memory, log.before, now)
end

-- Most topics keep the same.
local function limitsOf(kept)
  local known = limits[kept]
  if known then return known end
  local count, bytes, age = string.match(kept, '^(%d+) (%d+) (%d+)$')
  known = {
    count = count == '0' and '1' or count, bytes = tonumber(bytes), age = tonumber(age),
    -- Looking for what is over in bytes is not done for each event, but sixteen times on the way to the limit.
    step = math.max(1, math.floor(tonumber(bytes) / 16))
  }
  limits[kept] = known
  if known.age > log.memory then grow(known.age) end
  return known
end

local function open(index)
  local stream, last, kept = KEYS[3 + index * 2], KEYS[4 + index * 2], limitsOf(ARGV[3 + index * 2])
  local previous, total, ends, known, isThere, failure = lastOf(last, log[1])
  if failure then return { failure = failure } end
  if not previous then
    -- What a topic left behind in an earlier life of the log would stand in the way of lower ids.
    -- It comes second: for want of memory Redis refuses a script at the first command that takes some, and not after.
    redis.call('HSET', KEYS[1], 'seq', log[2])
    local isLost = redis.call('UNLINK', stream) == 1 and not isThere
    previous = isLost and id or unknown(log, seq, now)
  end
  return {
    stream = stream, last = last, channel = ARGV[2 + index * 2], kept = kept, previous = previous, total = total,
    ends = ends, known = known, looksAt = (math.floor(total / kept.step) + 1) * kept.step
  }
end

-- Takes away the oldest entries, and never the newest.
local function trim(topic)
  local kept = topic.kept
  topic.looksAt = (math.floor(topic.total / kept.step) + 1) * kept.step
  while true do
    local entries = redis.call('XRANGE', topic.stream, '-', '+', 'COUNT', 32)
    for _, entry in ipairs(entries) do
      local before = string.match(entry[2][2], '^%S+ %d+ (%d+)')
      if entry[1] == id .. '-0' or topic.total - tonumber(before) <= kept.bytes then
        redis.call('XTRIM', topic.stream, 'MINID', entry[1])
        redis.call('XTRIM', topic.stream, 'MINID', text(math.max(0, now - kept.age * 1000)))
        return
      end
    end
    redis.call('XTRIM', topic.stream, 'MAXLEN', redis.call('XLEN', topic.stream) - #entries)
  end
end

local function add(topic, head, body)
  local count = topic.kept.count
  if topic.ends > 0 then
    local added = redis.pcall('XADD', topic.stream, 'NOMKSTREAM', 'MAXLEN', count, id .. '-0', 'h', head, 'd', body)
    if added then return added end
    -- Somebody else has taken the stream away: the next one has no end yet.
    topic.ends = 0
  end
  return redis.pcall('XADD', topic.stream, 'MAXLEN', count, id .. '-0', 'h', head, 'd', body)
end

-- Into the history of all topics, or of none.
local function append(own, body, headers)
  for number, topic in ipairs(own) do
    local added = add(topic, topic.previous .. tail .. ' ' .. text(topic.total) .. headers, body)
    if type(added) == 'table' and added.err then
      for other = 1, number - 1 do redis.call('XDEL', own[other].stream, id .. '-0') end
      return added.err
    end
  end
end

local function handOut(own, body, headers)
  local place, front, rest = id, mark .. id .. ' ', ' ' .. #own .. headers .. '\\n' .. body
  local size = 7 + #log[1] + #id + #body
  for _, topic in ipairs(own) do
    local previous = topic.previous
    place = place .. ' ' .. previous
    topic.previous, topic.total, topic.changed = id, topic.total + size, true
    if topic.total >= topic.looksAt then trim(topic) end
    redis.call(publish, topic.channel, front .. previous .. tail .. rest)
  end
  return place
end

-- The place of the event that was published with a key, or nothing; and what is wrong with the keys.
local function firstOf(key)
  keyCount = keyCount or redis.pcall('ZCARD', KEYS[4])
  local known = type(keyCount) == 'table' and keyCount or redis.pcall('HGET', KEYS[3], key)
  if type(known) == 'table' then return nil, known.err end
  if not known then return nil end
  local ends, place = string.match(known, '^(%d+) (%S+)$')
  return tonumber(ends) >= time and place
end

-- What stands before the first event with a key, on each topic that still has it, and when it was published. A few topics do:
-- looking means to copy the event.
local function aboutFirst(place, own)
  local life, first = string.match(place, '^(%S+)%-(%d+)$')
  local at, before, looked = '0', '', 0
  for _, topic in ipairs(own) do
    local entry = life == log[1] and looked < 65536 and
      redis.call('XRANGE', topic.stream, first .. '-0', first .. '-0')[1]
    local previous, milliseconds
    if entry then
      previous, milliseconds = string.match(entry[2][2], '^(%S+) (%d+)')
      at, looked = milliseconds, looked + #entry[2][4]
    end
    before = before .. ' ' .. (previous or '-')
  end
  return place .. ' ' .. at .. before
end

local function note(key, own)
  local age = 0
  for _, topic in ipairs(own) do age = math.max(age, topic.kept.age) end
  keysEnd = math.max(keysEnd, time + age)
  redis.call('HSET', KEYS[3], key, text(time + age) .. ' ' .. log[1] .. '-' .. id)
  redis.call('ZADD', KEYS[4], id, key)
end

local function forget(keys)
  if #keys == 0 then return end
  redis.call('HDEL', KEYS[3], unpack(keys))
  redis.call('ZREM', KEYS[4], unpack(keys))
end

-- The keys that were used first go first: those whose time is over, and those that are too many.
local function boundKeys()
  local over = redis.call('ZCARD', KEYS[4]) - mostKeys
  if over > 0 then forget(redis.call('ZRANGE', KEYS[4], 0, math.min(over, 1000) - 1)) end
  local oldest, old = redis.call('ZRANGE', KEYS[4], 0, 127), {}
  for number, known in ipairs(redis.call('HMGET', KEYS[3], unpack(oldest))) do
    if not known or tonumber(string.match(known, '^%d+')) < time then old[#old + 1] = oldest[number] end
  end
  forget(old)
  local left = keysEnd + 1000 - time
  for number = 3, 4 do
    if redis.call('PTTL', KEYS[number]) < left then redis.call('PEXPIRE', KEYS[number], text(left)) end
  end
end

local function topicsOf(numbers)
  local own = {}
  for number in string.gmatch(numbers, '%d+') do
    local index = tonumber(number)
    topics[index] = topics[index] or open(index)
    own[#own + 1] = topics[index]
    own.failure = own.failure or topics[index].failure
  end
  lists[numbers] = own
  return own
end

local function publishOne(event)
  if event.own.failure then return '!' .. event.own.failure end
  if event.key then
    local place, failure = firstOf(event.key)
    if place then return aboutFirst(place, event.own) end
    if failure then return '!' .. failure end
  end
  seq = math.max(seq + 1, now)
  id = text(seq)
  local failure = append(event.own, event.body, event.headers)
  if failure then return '!' .. failure end
  if event.key then note(event.key, event.own) end
  return handOut(event.own, event.body, event.headers)
end

-- Ends are not moved with each publish, but when they have come too near, or were set by another clock. None is made
-- earlier: somebody else may keep his events for longer.
local function isLongEnough(ends, age)
  return ends >= time + age and ends <= time + log.memory + log.memory / 16
end

local function keep(topic)
  local age = topic.kept.age
  if not isLongEnough(topic.ends, age) then
    topic.ends = time + age + math.floor(age / 16)
    redis.call('PEXPIREAT', topic.stream, text(topic.ends))
  end
  -- A stream never outlives what is known of its last event.
  local isKnown = topic.known >= topic.ends and isLongEnough(topic.known, log.memory)
  if not isKnown then topic.known = time + log.memory + math.floor(log.memory / 16) end
  local last = log[1] .. ' ' .. topic.previous .. ' ' .. text(topic.total) .. ' ' .. text(topic.ends) .. ' ' .. text(topic.known)
  if isKnown then
    redis.call('SET', topic.last, last, 'KEEPTTL')
  else
    redis.call('SET', topic.last, last, 'PXAT', text(topic.known + 1000))
  end
end

-- All topics are looked at before anything is published: what is wrong with one is found out in time.
local events, argument = {}, #KEYS
while argument <= #ARGV do
  local about = ARGV[argument + 1]
  local event = { body = ARGV[argument], own = lists[about] or topicsOf(about), headers = '' }
  argument = argument + 2
  if string.find(about, 'k', 1, true) then
    event.key = ARGV[argument]
    argument = argument + 1
  end
  if string.find(about, 'h', 1, true) then
    event.headers = ' ' .. ARGV[argument]
    argument = argument + 1
  end
  events[#events + 1] = event
end

local answer = { log[1] .. ' ' .. at }
for _, event in ipairs(events) do answer[#answer + 1] = publishOne(event) end
if id ~= log[2] then redis.call('HSET', KEYS[1], 'seq', id) end
for _, topic in pairs(topics) do
  if topic.changed then keep(topic) end
end
if keysEnd > 0 then boundKeys() end
return table.concat(answer, '\\n')
`

/**
 * KEYS: log, guard, then the stream and the last event of each topic.
 * ARGV: a new epoch, how many bytes of events are enough; then the `seq` after which each topic's events are wanted, and how many.
 *
 * Answers epoch, `seq`, base and milliseconds of the log, then for each topic its last event; a list of events, each as
 * `seq` and what stands in its `h` in one text, and lines; and whether there are more of those that were wanted. Where none
 * are, but there are some after a place, what stands in the `h` of the first of them.
 */
export const READ = `${PRELUDE}
local now = clock()
local log, refusal = state(ARGV[1], now)
if refusal then return refusal end
local most, spent = tonumber(ARGV[2]), 0

local function nextAfter(stream, after, last)
  local entry = redis.call('XRANGE', stream, '(' .. after .. '-0', last .. '-0', 'COUNT', 1)[1]
  return entry and string.match(entry[2][2], '^%S+ %d+')
end

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
for index = 1, (#KEYS - 2) / 2 do
  local stream = KEYS[1 + index * 2]
  local after, count = tonumber(ARGV[1 + index * 2]), tonumber(ARGV[2 + index * 2])
  local last, _, _, _, isThere, failure = lastOf(KEYS[2 + index * 2], log[1])
  if failure then return redis.error_reply(failure) end
  local events, more, next = {}, '0', nil
  if last then
    -- Behind the last one stands what an earlier life of the log has left, if the clock was ahead then.
    after = math.max(after, tonumber(log[3]))
    if after < tonumber(last) and count > 0 then
      events, more = read(stream, text(after), last, count)
    elseif after < tonumber(last) and after > tonumber(log[3]) then
      next = nextAfter(stream, text(after), last)
    end
  elseif not isThere and redis.call('EXISTS', stream) == 1 then
    last = log[2]
  else
    last = unknown(log, tonumber(log[2]), now)
  end
  answer[#answer + 1] = { last, events, more, next }
end
return answer
`

/**
 * Begins a new life of the log, unless somebody else has done so.
 *
 * KEYS: log, guard. ARGV: a new epoch, the epoch that is over, a `seq` to be over, `PUBLISH` or `SPUBLISH`, the control
 * channel, the message that tells all instances.
 */
export const RENEW = `${PRELUDE}
local now = clock()
local log, refusal = state(ARGV[1], now)
if refusal then return refusal end
if log[1] == ARGV[2] then
  -- First, since for want of memory nothing would be begun.
  redis.call('DEL', KEYS[1])
  begin(ARGV[1], math.max(now, tonumber(log[2]), tonumber(ARGV[3])), log.memory)
  redis.call(ARGV[4], ARGV[5], ARGV[6])
end
return 1
`

/**
 * Finds out whether events can be published: takes the steps that are taken for every one of them, leaves the log as it was,
 * and nothing else. Where there is no log none is begun.
 *
 * KEYS: log, guard, a key of nobody's. ARGV: a new epoch.
 */
export const TRY = `${PRELUDE}
local now = clock()
if redis.call('EXISTS', KEYS[1]) == 1 then
  local log, refusal = state(ARGV[1], now)
  if refusal then return refusal end
  redis.call('HSET', KEYS[1], 'seq', log[2])
end
-- With ends, since each step may be one that is not allowed.
redis.call('SET', KEYS[3], '', 'PX', 60000)
redis.call('GET', KEYS[3])
redis.call('UNLINK', KEYS[3])
redis.call('XADD', KEYS[3], '1-0', 'h', '', 'd', '')
redis.call('PEXPIREAT', KEYS[3], text(math.floor(now / 1000) + 60000))
redis.call('UNLINK', KEYS[3])
return 1
`
