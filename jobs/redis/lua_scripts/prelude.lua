-- Functions that every script may call; jobs/redis/lua.py puts this file in front of each script,
-- and the constants in capitals (key names, histogram bounds) in front of this file.
--
-- They keep the data about all jobs in step with the job itself, within the same atomic script:
--
--   COUNTERS (hash)                NAME|SITE|JOB or NAME|SITE|JOB|LABEL: counts, and sums in ms
--   STATE_INDEX:STATE, :STATE:SITE, :STATE:SITE.JOB, :STATE:@OWNER, :STATE:@OWNER:SITE,
--   :STATE:@OWNER:SITE.JOB         (zsets) job ids by the time of acceptance (ms); OWNER is the name of
--                                  an API key
--   SESSION:SITE:ACCOUNT:turns     (hash) jobs that use the account now, and their lease tokens
--   SESSION:SITE:ACCOUNT:waiting, :awaiting
--                                  (zsets) jobs that wait for a turn, for a session to be imported
--   HOURLY_OUTCOMES:HOUR (hash)    counters of the jobs that ended in that hour since the epoch
--   CHANGES_CHANNEL                notifications of changed jobs
--
-- and the webhook deliveries that a job's subscription (`webhook` of its record) asks for:
--
--   DELIVERY:ID:EVENT (hash)       EVENT is started, progress or end
--     state      waiting, sending, delivered or given_up
--     revision   the job's revision that is reported; at: the time of that change (ms)
--     since      due time of the first attempt (ms); next_at: due time of the next one (ms)
--     tries      number of attempts since then; absences: those answered with 404 or 409
--     token      lease of the sender while it sends; again: set if a replay was requested meanwhile
--     replayed_at  the time of the last replay (ms)
--     envelope   its message in the queue; looks: number of checks for that message
--   DELIVERY:ID:EVENT:record, :result
--                                  copies of the reported state, without parameters: every attempt
--                                  sends the same
--   DELIVERY:ID:EVENT:tries        the attempts (list of JSON)
--   DELIVERIES_DUE, DELIVERIES_OPEN
--                                  (zsets) ID:EVENT by the time of the next check, by `since`

-- Redis' clock, in ms since the epoch.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A whole number as Redis stores it: Lua would write large ones as 1.7e+12.
local function integer(number)
  return string.format('%d', number)
end

-- A time (ms) as ISO 8601 in UTC. Lua has no functions for dates here; the calendar is that of
-- "days from civil" algorithms, whose years begin in March.
local function iso_time(ms)
  local days = math.floor(ms / 86400000) + 719468  -- since 1 March of the year 0
  local era = math.floor(days / 146097)  -- 400 years
  local day_of_era = days - era * 146097
  local year_of_era = math.floor((day_of_era - math.floor(day_of_era / 1460)
    + math.floor(day_of_era / 36524) - math.floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era
    - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  local month = math.floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - math.floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  local of_day = ms % 86400000
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03d+00:00', year, month, day,
    math.floor(of_day / 3600000), math.floor(of_day / 60000) % 60, math.floor(of_day / 1000) % 60,
    of_day % 1000)
end

-- Counts a start of a caller in its window of time (hash: starts), which begins with the first one.
-- Returns 0; or, if the window has no start left, the time until its end (ms).
local function count_start(window, limit, window_ms)
  local started = redis.call('HINCRBY', window, 'starts', 1)
  -- The window would last longer than it may if Redis' clock has gone back.
  if started == 1 or redis.call('PTTL', window) > tonumber(window_ms) then
    redis.call('PEXPIRE', window, window_ms)
  end
  return started > tonumber(limit) and redis.call('PTTL', window) or 0
end

-- Whether a lease token currently holds a running job.
local function holds_lease(record, token)
  local state, holder = unpack(redis.call('HMGET', record, 'state', 'token'))
  return state == 'processing' and holder == token
end

-- Returns the number of items that a job has stored so far.
local function count_items(items, totals)
  local total = tonumber(redis.call('LINDEX', totals, -1) or 0)
  -- Version 0.1 stored one item in each element, without a total.
  return total + redis.call('LLEN', items) - redis.call('LLEN', totals)
end

local function is_final(state)
  return state == 'completed' or state == 'failed'
end

local function counter_name(record, name, label)
  local site, job = unpack(redis.call('HMGET', record, 'site', 'job'))
  return table.concat({name, site or '', job or '', label}, '|')
end

-- Increments a counter of the job with this record. `label` distinguishes cases of one counter. A
-- counter that holds no number must not fail the job that is counted.
local function count(counters, record, name, increment, label)
  redis.pcall('HINCRBY', counters, counter_name(record, name, label), increment)
end

-- Adds a duration (ms) to a histogram: NAME|SITE|JOB|BOUND for the smallest bound (s) that it does
-- not exceed, and to the histogram's sum (ms).
local function observe(counters, record, name, duration_ms)
  duration_ms = math.max(0, duration_ms)  -- Redis' clock may have gone back
  local bucket = '+Inf'
  for _, bound in ipairs(BUCKET_BOUNDS) do
    if duration_ms <= bound * 1000 then
      bucket = tostring(bound)
      break
    end
  end
  count(counters, record, name, 1, bucket)
  count(counters, record, name .. '_sum_ms', duration_ms)
end

-- Notifies subscribers that the visible state of a job has changed: "ID REVISION", with " end" when
-- it has ended.
local function publish_change(record, id, suffix)
  local revision = redis.call('HINCRBY', record, 'revision', 1)
  redis.call('PUBLISH', CHANGES_CHANNEL, id .. ' ' .. integer(revision) .. (suffix or ''))
end

-- The indexes of a state that a job belongs to: all jobs, its site's, its job definition's; and the same
-- of its owner, if it was started with an API key.
local function index_keys(record, state)
  local site, job, owner = unpack(redis.call('HMGET', record, 'site', 'job', 'caller'))
  local all = STATE_INDEX .. state
  local of_site = all .. ':' .. (site or '')
  local names = {all, of_site, of_site .. '.' .. (job or '')}
  if (owner or '') ~= '' then
    local owned = all .. ':@' .. owner
    local of_owned_site = owned .. ':' .. (site or '')
    for _, name in ipairs({owned, of_owned_site, of_owned_site .. '.' .. (job or '')}) do
      table.insert(names, name)
    end
  end
  return names
end

-- Moves a job from the indexes of one state (false: from none) to those of another.
local function move_between_indexes(record, id, from, to)
  for _, index in ipairs(from and index_keys(record, from) or {}) do
    redis.call('ZREM', index, id)
  end
  local created = redis.call('HGET', record, 'created_at')
  for _, index in ipairs(index_keys(record, to)) do
    redis.call('ZADD', index, created, id)
  end
end

-- Removes the oldest jobs whose records have expired from the indexes of a final state. Each ended
-- job removes up to three, so the indexes grow no longer than results are kept.
local function prune_expired(record, state)
  for _, index in ipairs(index_keys(record, state)) do
    for _, id in ipairs(redis.call('ZRANGE', index, 0, 2)) do
      if redis.call('EXISTS', JOB .. id) == 0 then
        redis.call('ZREM', index, id)
      end
    end
  end
end

-- Puts a job's message into the queue, to be the next one that a worker takes: kombu pushes on the
-- left, and workers pop on the right (BRPOP).
local function enqueue_next(queue, record, message)
  redis.call('RPUSH', queue, message)
  redis.call('HSET', record, 'envelope', message)
end

-- Lets jobs go on that wait in a zset (id, by acceptance): the first `count` of them.
local function wake(waiting, count)
  for _, id in ipairs(redis.call('ZRANGE', waiting, 0, -1)) do
    if count == 0 then
      return
    end
    redis.call('ZREM', waiting, id)
    local record = JOB .. id
    local state, holder, parked, envelope =
      unpack(redis.call('HMGET', record, 'state', 'token', 'parked', 'envelope'))
    if state == 'processing' and parked and envelope and not holder then
      redis.call('HDEL', record, 'parked_until', 'awaited_until')
      enqueue_next(JOB_QUEUE, record, envelope)
      redis.call('ZADD', ACTIVE, integer(now_ms() + parked), id)
      count = count - 1
    end
  end
end

-- The key of the session of a job's account.
local function session_of(record)
  local site, account = unpack(redis.call('HMGET', record, 'site', 'account'))
  return SESSION .. (site or '') .. ':' .. (account or 'default')
end

-- Ends the turn that a job has at its account, if it has one; the next job that waits gets it.
local function end_turn(record, id)
  local session = session_of(record)
  if redis.call('HDEL', session .. ':turns', id) == 1 then
    wake(session .. ':waiting', 1)
  end
end

-- Takes a running job from its worker until it is woken, or some time (ms) has passed. `parked` is the
-- lease (ms); until then the reconciler puts no message into the queue.
local function park(record, id, waiting, wait_ms, lease_ms)
  local now = now_ms()
  redis.call('HDEL', record, 'token', 'worker')
  redis.call('HSET', record, 'parked', lease_ms, 'parked_until', integer(now + wait_ms), 'looks', 0)
  redis.call('ZADD', waiting, redis.call('HGET', record, 'created_at'), id)
  redis.call('PEXPIRE', waiting, integer(wait_ms + 24 * 3600 * 1000))
  redis.call('ZADD', ACTIVE, integer(now + math.min(wait_ms, lease_ms)), id)
  end_turn(record, id)
  publish_change(record, id)
end

-- The time until the next check, which doubles with each check up to a maximum (ms).
local function backoff_ms(first_ms, checks, max_ms)
  return math.min(first_ms * 2 ^ math.min(checks, 20), max_ms)
end

-- Lets everything stored for a delivery expire a day after the last attempt of a round that begins
-- now: a round lasts a day at most.
local function expire_delivery(delivery)
  for _, part in ipairs({'', ':record', ':result', ':tries'}) do
    redis.call('PEXPIRE', delivery .. part, 48 * 3600 * 1000)
  end
end

-- Makes a delivery due at once; it is checked again after `check_after_ms`.
local function begin_delivery(delivery, member, message, check_after_ms)
  local now = now_ms()
  redis.call('HDEL', delivery, 'token', 'again')
  redis.call('HSET', delivery, 'state', 'waiting', 'since', integer(now), 'next_at', integer(now),
    'tries', 0, 'absences', 0, 'envelope', message, 'looks', 0)
  redis.call('ZADD', DELIVERIES_DUE, integer(now + check_after_ms), member)
  redis.call('ZADD', DELIVERIES_OPEN, integer(now), member)
  redis.call('LPUSH', WEBHOOK_QUEUE, message)
end

-- Ends a delivery as `delivered` or `given_up`.
local function close_delivery(counters, delivery, member, event, state)
  redis.call('HDEL', delivery, 'token', 'again', 'envelope', 'looks', 'next_at')
  redis.call('HSET', delivery, 'state', state)
  redis.call('ZREM', DELIVERIES_DUE, member)
  redis.call('ZREM', DELIVERIES_OPEN, member)
  count(counters, delivery .. ':record', 'callbacks_' .. state, 1, event)
end

-- Schedules a webhook with the job's current state, if its subscription includes this event. A
-- waiting delivery of the same event is updated; one that is being sent is followed by this state.
local function schedule_webhook(record, result, id, event, message, check_after_ms)
  local subscription = redis.call('HGET', record, 'webhook')
  if not subscription then
    return
  end
  subscription = cjson.decode(subscription)
  local is_subscribed = event == 'end'
  for _, name in ipairs(subscription.events) do
    is_subscribed = is_subscribed or name == 'job.' .. event
  end
  if not is_subscribed then
    return
  end
  local delivery = DELIVERY .. id .. ':' .. event
  local state = redis.call('HGET', delivery, 'state')
  local copy = delivery .. ':record'
  redis.call('COPY', record, copy, 'REPLACE')
  -- What no payload shows is left out: the copy outlives the job's result.
  redis.call('HSET', copy, 'params', '{}')
  redis.call('HDEL', copy, 'envelope', 'identical', 'looks', 'token')
  local is_completed = redis.call('HGET', record, 'state') == 'completed'
  if is_completed and subscription.payload == 'full' then
    redis.call('COPY', result, delivery .. ':result', 'REPLACE')
  end
  redis.call('HSET', delivery, 'revision', redis.call('HGET', record, 'revision'),
    'at', integer(now_ms()))
  if state ~= 'waiting' and state ~= 'sending' then
    begin_delivery(delivery, id .. ':' .. event, message, check_after_ms)
  end
  expire_delivery(delivery)
end

-- Gives up the waiting webhooks about a job's progress, because it has ended. An attempt that is
-- being made runs to its end.
local function cancel_pending_webhooks(counters, id)
  for _, event in ipairs({'started', 'progress'}) do
    local delivery = DELIVERY .. id .. ':' .. event
    if redis.call('HGET', delivery, 'state') == 'waiting' then
      close_delivery(counters, delivery, id .. ':' .. event, event, 'given_up')
    end
  end
end
