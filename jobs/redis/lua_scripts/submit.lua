-- Accepts a job: creates its record and enqueues its message, in one step or not at all.
--
-- KEYS  1 record (hash)   2 active (zset)   3 queue (list)   4 counters (hash)
--       5 the result of the caller's Idempotency-Key (string: id, created_at, fingerprint, and the
--         status for a repeat)
--       6 the latest identical job (string: id)
-- ARGV  1 job id   2 queue message   3 check the job after (ms)
--       4 an Idempotency-Key is kept for (ms); 0 without one   5 the request's fingerprint
--       6 '1' to join an identical job that has not ended
--       7... field, value, field, value of the record
-- Returns {status, created_at, id}; status is 'accepted'; 'repeated' if this id or this
-- Idempotency-Key is known, which changes nothing; 'joined' to another job; 'rejoined' if the key has
-- led to a job that was joined; 'conflict' if the key was used for another request.
local record, active, queue, counters, idempotency, latest_identical = unpack(KEYS)
local id, message, check_after_ms, key_ttl_ms, fingerprint, may_join = unpack(ARGV)
local known = redis.call('HGET', record, 'created_at')
if known then
  return {'repeated', known, id}
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
    store_key(job_id, created, 'rejoined')
    return {'joined', created, job_id}
  end
end
local now = now_ms()
local created = integer(now)
redis.call('HSET', record, 'state', 'pending', 'created_at', created, 'progress', 0, 'attempt', 0,
  'crashes', 0, 'looks', 0, 'envelope', message, 'identical', latest_identical, unpack(ARGV, 7))
redis.call('ZADD', active, integer(now + check_after_ms), id)
redis.call('SET', latest_identical, id)
store_key(id, created, 'repeated')
move_between_indexes(record, id, false, 'pending')
-- kombu pushes on the left, and workers pop on the right (BRPOP): the oldest job is the next.
redis.call('LPUSH', queue, message)
count(counters, record, 'accepted', 1)
publish_change(record, id)
return {'accepted', created, id}
