-- Accepts a job: creates its record and enqueues its message, in one step or not at all.
--
-- KEYS  1 record (hash)   2 active (zset)   3 queue (list)   4 counters (hash)
--       5 the result of the caller's Idempotency-Key (string: id, created_at, fingerprint, and the
--         status for a repeat)
--       6 the latest identical job (string: id)   7 the caller's window (hash)
-- ARGV  1 job id   2 queue message   3 check the job after (ms)
--       4 an Idempotency-Key is kept for (ms); 0 without one   5 the request's fingerprint
--       6 '1' to join an identical job that has not ended
--       7 how many jobs may wait   8 the suffix of the indexes of the owner's jobs; '' without an owner
--       9 how many of the owner's jobs may wait   10, 11 how many jobs may be kept in all states, in all
--         and of the owner
--       12 how many starts the window has; '' without a limit   13 its length (ms)
--       14... field, value, field, value of the record
-- Returns {status, created_at, id}; status is 'accepted'; 'repeated' if this id or this
-- Idempotency-Key is known, which changes nothing; 'joined' to another job; 'rejoined' if the key has
-- led to a job that was joined; 'conflict' if the key was used for another request; 'limited' if the
-- window has no start left, with the time until it has (ms) instead of `created_at`; 'full' or
-- 'owner_full' if no further job may wait or be kept, 'full' also if Redis has too little memory.
-- The last three write nothing but the count of starts.

-- The share of Redis' memory beyond which no job is accepted.
local MEMORY_FOR_STARTS = 0.85

local record, active, queue, counters, idempotency, latest_identical, window = unpack(KEYS)
local id, message, check_after_ms, key_ttl_ms, fingerprint, may_join, max_waiting, owned, max_owned,
  max_kept, max_owned_kept, max_starts, window_ms = unpack(ARGV)
local known = redis.call('HGET', record, 'created_at')
if known then
  return {'repeated', known, id}
end
-- What is stored already needs memory too: pages, results, deliveries.
local function is_memory_short()
  local memory = redis.pcall('INFO', 'memory')
  if type(memory) ~= 'string' then
    return false  -- this user may not call it
  end
  local used, limit = memory:match('used_memory:(%d+)'), memory:match('maxmemory:(%d+)')
  return limit and tonumber(limit) > 0 and used / limit > MEMORY_FOR_STARTS
end
local wait_ms = 0
if max_starts ~= '' then
  local is_counted, reply = pcall(count_start, window, max_starts, window_ms)
  if is_counted then
    wait_ms = reply
  elseif not is_memory_short() then
    error(reply)  -- a full Redis cannot count a start, and accepts no job either
  end
end
if wait_ms > 0 then
  return {'limited', wait_ms, id}
end
local function store_key(job_id, created, status)
  if key_ttl_ms ~= '0' then
    local value = table.concat({job_id, created, fingerprint, status}, ' ')
    redis.call('SET', idempotency, value, 'PX', key_ttl_ms)
  end
end
if key_ttl_ms ~= '0' then
  local stored = redis.call('GET', idempotency)
  if stored then
    local job_id, created, stored_fingerprint, status =
      string.match(stored, '^(%S+) (%S+) (%S+) (%S+)$')
    return {stored_fingerprint == fingerprint and status or 'conflict', created, job_id}
  end
end
if may_join == '1' then
  local job_id = redis.call('GET', latest_identical)
  local state, created, cancel =
    unpack(redis.call('HMGET', JOB .. (job_id or ''), 'state', 'created_at', 'cancel'))
  if (state == 'pending' or state == 'processing') and not cancel then
    if key_ttl_ms ~= '0' and is_memory_short() then
      return {'full', '0', id}  -- a day of Idempotency-Keys takes memory, too
    end
    store_key(job_id, created, 'rejoined')
    return {'joined', created, job_id}
  end
end
-- Whether the indexes with this suffix hold as many jobs as may wait, or be kept.
local function is_full(suffix, waiting_limit, kept_limit)
  local kept = 0
  for _, state in ipairs({'pending', 'processing', 'completed', 'failed'}) do
    kept = kept + redis.call('ZCARD', STATE_INDEX .. state .. suffix)
  end
  local waiting = redis.call('ZCARD', STATE_INDEX .. 'pending' .. suffix)
  return waiting >= tonumber(waiting_limit) or kept >= tonumber(kept_limit)
end
if owned ~= '' and is_full(owned, max_owned, max_owned_kept) then
  return {'owner_full', '0', id}
end
if is_full('', max_waiting, max_kept) or is_memory_short() then
  return {'full', '0', id}
end
local now = now_ms()
local created = integer(now)
redis.call('HSET', record, 'state', 'pending', 'created_at', created, 'progress', 0, 'attempt', 0,
  'crashes', 0, 'looks', 0, 'envelope', message, 'identical', latest_identical, unpack(ARGV, 14))
redis.call('ZADD', active, integer(now + check_after_ms), id)
redis.call('SET', latest_identical, id)
store_key(id, created, 'repeated')
move_between_indexes(record, id, false, 'pending')
-- kombu pushes on the left, and workers pop on the right (BRPOP): the oldest job is the next.
redis.call('LPUSH', queue, message)
count(counters, record, 'accepted', 1)
publish_change(record, id)
return {'accepted', created, id}
