/** The format of the log: the contents of its keys and messages. Format 1 was that of earlier versions. */
export const FORMAT = '2'

/** Begins the error that a script returns if the log has another format, which it names. */
export const WRONG_FORMAT = 'LOGFORMAT'

/** How long the log remembers a topic's last event at least, in milliseconds. */
export const SHORTEST_MEMORY = 60_000

/**
 * The log's scripts. Redis runs each atomically, so that ids, history and delivery never disagree.
 *
 * The log is a hash:
 * - `format`; `epoch`; `seq`: its last event, or its beginning; `base`: events up to here are from an earlier epoch
 * - `memory`: how many milliseconds it remembers a topic's last event, which is the longest history age. It only grows,
 *   when a publisher with a longer history publishes; `grown`: when it last did, in microseconds, and `before`: its
 *   value until then
 *
 * A topic's last event is a string of its own, `<epoch> <seq> <total bytes of the topic>`, and when its stream and the
 * string itself expire, in milliseconds. Memory is bounded by time, not by a number of topics: if the string has
 * expired, nothing was published within the log's memory, and older events are in no history, whatever a reader's
 * limits. So the predecessor of an event is known, as `<seq>`, or not, as `~<seq>@<milliseconds>`: then nothing was
 * published after that place, nor after that time.
 *
 * If the log is lost, by FLUSHALL, DEL or eviction, a new epoch begins. If only one of a topic's two keys is lost, all
 * of its events so far count as lost: its stream never outlives the record of its last event.
 *
 * The guard is at the key where format 1 had a hash: scripts of that format fail on it before they have changed
 * anything.
 *
 * Lua's default conversion of numbers this large to text loses digits, hence `%.0f`. Calls of commands dominate the
 * cost, hence few of them.
 *
 * One file, since all scripts share this format and the prelude.
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

-- Epoch, seq and base of the log, and its memory; or an error, which the script must return.
local function state(newEpoch, now)
  local log = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'base', 'format', 'memory', 'before', 'grown')
  if not log[1] then return begin(newEpoch, now, ${SHORTEST_MEMORY}) end
  if log[4] ~= '${FORMAT}' then return nil, redis.error_reply('${WRONG_FORMAT} ' .. (log[4] or '1')) end
  log.memory, log.before, log.grown = tonumber(log[5]), tonumber(log[6]), tonumber(log[7])
  return log
end

-- The seq of the topic's last event, its total bytes, when its stream and this record expire; nothing if unknown, and
-- whether data of an earlier epoch exists; and an error with the key.
local function lastOf(key, epoch)
  local known = redis.pcall('GET', key)
  if type(known) == 'table' then return nil, 0, 0, 0, false, known.err end
  if not known then return nil, 0, 0, 0, false end
  local life, seq, bytes, ends, known = string.match(known, '^(%S+) (%d+) (%d+) (%d+) (%d+)$')
  if life ~= epoch then return nil, 0, 0, 0, true end
  return seq, tonumber(bytes), tonumber(ends), tonumber(known), true
end

-- The predecessor of a topic without a record. If the clock was set back, the log is ahead of it, and its seqs do not
-- give times.
local function unknown(log, seq, now)
  local since = math.max(0, now - log.memory * 1000, math.min(log.grown, now - log.before * 1000))
  local bound = seq
  if seq <= now + 1000000 then bound = math.min(seq, math.max(tonumber(log[3]), since)) end
  return '~' .. text(bound) .. '@' .. text(math.floor(since / 1000))
end
`

/**
 * Publishes a batch of events in order: the costs of running a script and keeping the log's state are paid once. An
 * event that fails does not stop the others. A repeated key is not published again.
 *
 * KEYS: log, guard, keys, their order, then the stream and the last event of each topic. ARGV: a new epoch, `PUBLISH`
 * or `SPUBLISH`, how many keys are remembered; then for each topic its channel, and `<events> <bytes> <milliseconds>`
 * that it keeps; then for each event its lines, and the numbers of its topics, from 1, with a `k` if its key follows,
 * and an `h` if its headers do.
 *
 * Returns lines: the epoch and the log's time in milliseconds, and for each event its `seq` and its predecessor on each
 * of its topics; or `!` and an error; or, for a repeated key, `<epoch>-<seq>` of the first event, its milliseconds, and
 * its predecessor on each of the topics, `-` if unknown. One string is far cheaper than many, for Redis and for the
 * client.
 *
 * An entry of a topic's stream has `h`: predecessor, milliseconds, bytes before it, and its headers if it has any; and
 * `d`, its lines. Keys are a hash of `<end> <epoch>-<seq>`, with their `seq` in a sorted set.
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

-- Records kept with the shorter memory are still valid until then.
local function grow(memory)
  if log.grown <= now - log.memory * 1000 then log.before = log.memory end
  log.memory, log.grown = memory, now
  remember(memory, log.before, now)
end

-- Most topics have the same limits.
local function limitsOf(kept)
  local known = limits[kept]
  if known then return known end
  local count, bytes, age = string.match(kept, '^(%d+) (%d+) (%d+)$')
  known = {
    count = count == '0' and '1' or count, bytes = tonumber(bytes), age = tonumber(age),
    -- The check of the byte limit does not run for each event, but sixteen times within the limit.
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
    -- Data of an earlier epoch would prevent lower ids, so it is deleted. Second: Redis refuses a script for lack of
    -- memory only at its first write.
    redis.call('HSET', KEYS[1], 'seq', log[2])
    local isLost = redis.call('UNLINK', stream) == 1 and not isThere
    previous = isLost and id or unknown(log, seq, now)
  end
  return {
    stream = stream, last = last, channel = ARGV[2 + index * 2], kept = kept, previous = previous, total = total,
    ends = ends, known = known, looksAt = (math.floor(total / kept.step) + 1) * kept.step
  }
end

-- Trims the oldest entries, never the newest.
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
    -- The stream was deleted by someone else: the next one has no expiry yet.
    topic.ends = 0
  end
  return redis.pcall('XADD', topic.stream, 'MAXLEN', count, id .. '-0', 'h', head, 'd', body)
end

-- Appends to the history of all topics, or of none.
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

-- The place of the first event with a key, or nothing; and an error with the keys.
local function firstOf(key)
  keyCount = keyCount or redis.pcall('ZCARD', KEYS[4])
  local known = type(keyCount) == 'table' and keyCount or redis.pcall('HGET', KEYS[3], key)
  if type(known) == 'table' then return nil, known.err end
  if not known then return nil end
  local ends, place = string.match(known, '^(%d+) (%S+)$')
  return tonumber(ends) >= time and place
end

-- The predecessor of the first event with a key, on each topic that still has it, and when it was published. On a few
-- topics only: the lookup copies the event.
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

-- Removes the oldest keys: expired ones, and those over the limit.
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

-- Expiry is not updated by each publish, but only if it is too near, or was set by another clock. It is never
-- shortened: another publisher may keep events for longer.
local function isLongEnough(ends, age)
  return ends >= time + age and ends <= time + log.memory + log.memory / 16
end

local function keep(topic)
  local age = topic.kept.age
  if not isLongEnough(topic.ends, age) then
    topic.ends = time + age + math.floor(age / 16)
    redis.call('PEXPIREAT', topic.stream, text(topic.ends))
  end
  -- A stream never outlives the record of its last event.
  local isKnown = topic.known >= topic.ends and isLongEnough(topic.known, log.memory)
  if not isKnown then topic.known = time + log.memory + math.floor(log.memory / 16) end
  local last = log[1] .. ' ' .. topic.previous .. ' ' .. text(topic.total) .. ' ' .. text(topic.ends) .. ' ' .. text(topic.known)
  if isKnown then
    redis.call('SET', topic.last, last, 'KEEPTTL')
  else
    redis.call('SET', topic.last, last, 'PXAT', text(topic.known + 1000))
  end
end

-- Checks all topics before anything is published, to fail early.
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
 * KEYS: log, guard, then the stream and the last event of each topic. ARGV: a new epoch, the page size in bytes; then
 * for each topic the `seq` after which events are wanted, and how many.
 *
 * Returns epoch, `seq`, base and milliseconds of the log, then for each topic its last event; a list of events, each as
 * `seq` and its `h` in one string, and lines; and whether there are more wanted events. If none are wanted, but there
 * are some after the place, the `h` of the first of them.
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
        -- Stop reading: for many topics that would cost more than everything returned.
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
    -- After the last one there may be data of an earlier epoch, if the clock was ahead then.
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
 * Begins a new epoch of the log, unless another instance has done so.
 *
 * KEYS: log, guard. ARGV: a new epoch, the old epoch, a `seq` to exceed, `PUBLISH` or `SPUBLISH`, the control channel,
 * the message that notifies all instances.
 */
export const RENEW = `${PRELUDE}
local now = clock()
local log, refusal = state(ARGV[1], now)
if refusal then return refusal end
if log[1] == ARGV[2] then
  -- First, since without memory nothing must be begun.
  redis.call('DEL', KEYS[1])
  begin(ARGV[1], math.max(now, tonumber(log[2]), tonumber(ARGV[3])), log.memory)
  redis.call(ARGV[4], ARGV[5], ARGV[6])
end
return 1
`

/**
 * Tests whether events can be published: performs the writes of every publish, and leaves the log unchanged. Does not
 * create a log.
 *
 * KEYS: log, guard, an unused key. ARGV: a new epoch.
 */
export const TRY = `${PRELUDE}
local now = clock()
if redis.call('EXISTS', KEYS[1]) == 1 then
  local log, refusal = state(ARGV[1], now)
  if refusal then return refusal end
  redis.call('HSET', KEYS[1], 'seq', log[2])
end
-- With expiry, since each command may be denied.
redis.call('SET', KEYS[3], '', 'PX', 60000)
redis.call('GET', KEYS[3])
redis.call('UNLINK', KEYS[3])
redis.call('XADD', KEYS[3], '1-0', 'h', '', 'd', '')
redis.call('PEXPIREAT', KEYS[3], text(math.floor(now / 1000) + 60000))
redis.call('UNLINK', KEYS[3])
return 1
`
