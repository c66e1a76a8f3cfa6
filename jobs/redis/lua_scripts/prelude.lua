-- What every script may call: it is put in front of each of them (jobs/redis/lua.py). It keeps what is
-- seen of all jobs together, in the same step as the job itself, so that it tells what has happened,
-- whoever dies meanwhile:
--
--   garimpo:counters (hash)              NAME|SITE|JOB, or NAME|SITE|JOB|MORE: how often, how long
--   garimpo:jobs:STATE, :STATE:SITE, :STATE:SITE.JOB
--                                        (zsets) ids of jobs by when they were accepted (ms)
--   garimpo:outcomes:HOUR (hash)         the same for what has ended in an hour since the epoch
--   garimpo:changes (channel)            which job has changed
--
-- And it keeps whom to tell of a job (`webhook` of its record), in the same step as what is told:
--
--   garimpo:delivery:ID:SLOT (hash)      a call back; SLOT is started, progress or end
--     state      waiting, sending, delivered or given_up
--     revision   the job's, when what is told was true; at: when that was (ms)
--     since      when its first try was due (ms); next_at: when the next one is (ms)
--     tries      how many there were since then; absences: those answered with 404 or 409
--     token      whose try it is, while it is sent; again: set if it was asked for anew meanwhile
--     envelope   its message in the queue; looks: for how many looks it has been there
--   garimpo:delivery:ID:SLOT:record, :result
--                                        copies of what is told: each try tells the same
--   garimpo:delivery:ID:SLOT:tries       the tries (list of JSON)
--   garimpo:deliveries:due, :open        (zsets) ID:SLOT by when to look at it, by since when it waits
local function name_counter(record, name, more)
  local site, job = unpack(redis.call('HMGET', record, 'site', 'job'))
  return table.concat({name, site or '', job or '', more}, '|')
end

-- Counts for a job, whose record is given. `more` tells apart what is counted under one name.
local function count(counters, record, name, by, more)
  redis.call('HINCRBY', counters, name_counter(record, name, more), by)
end

-- Counts a time (ms) in a histogram: NAME|SITE|JOB|BOUND for the first bound (s) that it does not
-- pass, and its sum (ms).
local function observe(counters, record, name, ms)
  local bucket = '+Inf'
  for _, bound in ipairs({1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}) do
    if ms <= bound * 1000 then
      bucket = tostring(bound)
      break
    end
  end
  count(counters, record, name, 1, bucket)
  count(counters, record, name .. '_sum_ms', ms)
end

-- Tells whoever listens that a job's visible state has changed: "ID REVISION", and " end" at its end.
local function tell(record, id, ending)
  local revision = redis.call('HINCRBY', record, 'revision', 1)
  redis.call('PUBLISH', 'garimpo:changes', id .. ' ' .. string.format('%d', revision) .. (ending or ''))
end

-- Names the lists of a state that a job stands in: all jobs, those of its site, its recipe's job.
local function name_lists(record, state)
  local site, job = unpack(redis.call('HMGET', record, 'site', 'job'))
  local of_site = 'garimpo:jobs:' .. state .. ':' .. (site or '')
  return {'garimpo:jobs:' .. state, of_site, of_site .. '.' .. (job or '')}
end

-- Moves a job from the lists of one state (false: from none) to those of another.
local function list(record, id, from, to)
  for _, listed in ipairs(from and name_lists(record, from) or {}) do
    redis.call('ZREM', listed, id)
  end
  local created = redis.call('HGET', record, 'created_at')
  for _, listed in ipairs(name_lists(record, to)) do
    redis.call('ZADD', listed, created, id)
  end
end

-- Takes the oldest jobs out of the lists of a final state whose records are gone: each end takes out
-- more than it brings in, so that the lists stay as long as results are kept.
local function forget_gone(record, state)
  for _, listed in ipairs(name_lists(record, state)) do
    for _, id in ipairs(redis.call('ZRANGE', listed, 0, 2)) do
      if redis.call('EXISTS', 'garimpo:job:' .. id) == 0 then
        redis.call('ZREM', listed, id)
      end
    end
  end
end

local function clock()
  local time = redis.call('TIME')
  return string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
end

-- Lets what is kept of a call back expire: a day after the last try of a round that begins now.
local function expire_delivery(key)
  for _, part in ipairs({'', ':record', ':result', ':tries'}) do
    redis.call('PEXPIRE', key .. part, 48 * 3600 * 1000)
  end
end

-- Makes a call back due at once.
local function begin_delivery(key, member, message)
  local now = clock()
  redis.call('HDEL', key, 'token', 'again')
  redis.call('HSET', key, 'state', 'waiting', 'since', now, 'next_at', now, 'tries', 0, 'absences', 0,
    'envelope', message, 'looks', 0)
  redis.call('ZADD', 'garimpo:deliveries:due', string.format('%d', now + 15000), member)
  redis.call('ZADD', 'garimpo:deliveries:open', now, member)
  redis.call('LPUSH', 'callbacks', message)
end

-- Ends a call back, as `delivered` or `given_up`.
local function close_delivery(counters, key, member, slot, state)
  redis.call('HDEL', key, 'token', 'again', 'envelope', 'looks', 'next_at')
  redis.call('HSET', key, 'state', state)
  redis.call('ZREM', 'garimpo:deliveries:due', member)
  redis.call('ZREM', 'garimpo:deliveries:open', member)
  count(counters, key .. ':record', 'callbacks_' .. state, 1, slot)
end

-- Has a job's owner told of what its record says now, if they asked for that. What has not been told
-- is replaced; what is being sent right now is followed by this.
local function notify(record, result, id, slot, message)
  local webhook = redis.call('HGET', record, 'webhook')
  if not webhook then
    return
  end
  webhook = cjson.decode(webhook)
  local wanted = slot == 'end'
  for _, event in ipairs(webhook.events) do
    wanted = wanted or event == 'job.' .. slot
  end
  if not wanted then
    return
  end
  local key = 'garimpo:delivery:' .. id .. ':' .. slot
  local state = redis.call('HGET', key, 'state')
  redis.call('COPY', record, key .. ':record', 'REPLACE')
  if slot == 'end' and webhook.payload == 'full' then
    redis.call('COPY', result, key .. ':result', 'REPLACE')
  end
  redis.call('HSET', key, 'revision', redis.call('HGET', record, 'revision'), 'at', clock())
  if state ~= 'waiting' and state ~= 'sending' then
    begin_delivery(key, id .. ':' .. slot, message)
  end
  expire_delivery(key)
end

-- Gives up to tell how a job goes on: it has ended. A try that is under way ends by itself.
local function hush(counters, id)
  for _, slot in ipairs({'started', 'progress'}) do
    local key = 'garimpo:delivery:' .. id .. ':' .. slot
    if redis.call('HGET', key, 'state') == 'waiting' then
      close_delivery(counters, key, id .. ':' .. slot, slot, 'given_up')
    end
  end
end
