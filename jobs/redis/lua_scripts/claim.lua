-- Leases a waiting job to one worker: every later write must present the token that is set here.
--
-- KEYS  1 record (hash)   2 Celery's result (string)   3 active (zset)   4 counters (hash)
-- ARGV  1 token   2 worker   3 progress message (JSON)   4 Celery's result while it runs (JSON)
--       5 job id   6 lease (ms)   7 maximum crashes   8 webhook queue message
-- Returns 'absent', 'final', 'busy', 'cancelled' or 'poison' if the job cannot be run; a list of the
-- record's fields and values if it is leased to the caller. A repeat with the same token has the same
-- reply: the first one may have been lost with its connection.
local record, result, active, counters = unpack(KEYS)
local token, worker, progress_message, meta, id, lease_ms, max_crashes, webhook_message = unpack(ARGV)
local state, holder, cancel, crashes, created =
  unpack(redis.call('HMGET', record, 'state', 'token', 'cancel', 'crashes', 'created_at'))
if not state then
  return 'absent'
end
if is_final(state) then
  return 'final'
end
if holder then
  -- Even if the lease has expired: only the reconciler revokes it, and counts the crash.
  return holder == token and redis.call('HGETALL', record) or 'busy'
end
if cancel then
  return 'cancelled'
end
if tonumber(crashes) >= tonumber(max_crashes) then
  return 'poison'
end
local now = now_ms()
redis.call('HSET', record, 'state', 'processing', 'token', token, 'worker', worker)
-- A job that has waited for its account goes on with the same attempt.
local has_waited = redis.call('HDEL', record, 'parked', 'parked_until') > 0
local attempt = redis.call('HINCRBY', record, 'attempt', has_waited and 0 or 1)
local is_first = attempt == 1 and not has_waited
if is_first then
  -- A later attempt continues where the previous one was: its progress stays until there is more.
  redis.call('HSET', record, 'started_at', integer(now), 'message', progress_message)
  redis.call('SET', result, meta)
  observe(counters, record, 'waited', now - created)
  move_between_indexes(record, id, 'pending', 'processing')
else
  local started = redis.call('HGET', record, 'started_at')
  redis.call('HSET', record, 'ran_before', integer(math.max(0, now - (started or now))))
  if not has_waited then
    count(counters, record, 'taken_over', 1)
  end
end
redis.call('ZADD', active, integer(now + lease_ms), id)
publish_change(record, id)
if is_first then
  schedule_webhook(record, result, id, 'started', webhook_message, lease_ms)
end
return redis.call('HGETALL', record)
