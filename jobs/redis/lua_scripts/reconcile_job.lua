-- Checks one job that is due: puts a lost message back into the queue, revokes an expired lease.
--
-- KEYS  1 record (hash)   2 active (zset)   3 queue (list)   4 counters (hash)
-- ARGV  1 job id   2 queue message   3 check again after (ms): a lease   4 the longest such interval (ms)
--       5 maximum crashes   6 maximum time in the queue (ms; 0 for no limit)
--       7 '1' if expired leases may be revoked now
-- Returns what was done: 'gone', 'early', 'held', 'kept', 'queued', 'taken' (from a dead worker); or
-- why the caller has to end the job, which needs a result to write: 'cancelled', 'poison', 'expired'.
local record, active, queue, counters = unpack(KEYS)
local id, message, check_ms, max_check_ms, max_crashes, queue_ttl_ms, may_revoke = unpack(ARGV)
local due = tonumber(redis.call('ZSCORE', active, id))
local now = now_ms()
if not due then
  return 'gone'
end
local state, holder, cancel, crashes, created, checks, envelope = unpack(redis.call('HMGET',
  record, 'state', 'token', 'cancel', 'crashes', 'created_at', 'looks', 'envelope'))
-- A time further ahead than it can be was set before Redis' clock went back.
local is_too_far = due > now + tonumber(holder and check_ms or max_check_ms)
if due > now and not is_too_far then
  return 'early'
end
if not state or is_final(state) then
  redis.call('ZREM', active, id)
  return 'gone'
end
local done = 'kept'
if holder and is_too_far then
  -- Its worker has one lease from now on to show that it lives.
  redis.call('ZADD', active, integer(now + check_ms), id)
  return 'held'
end
if holder then
  if may_revoke ~= '1' then
    return 'held'
  end
  redis.call('HDEL', record, 'token', 'worker')
  crashes = redis.call('HINCRBY', record, 'crashes', 1)
  done = 'taken'
  end_turn(record, id)
  count(counters, record, 'crashed', 1)
  checks = '0'
end
if cancel then
  return 'cancelled'
end
if tonumber(crashes) >= tonumber(max_crashes) then
  return 'poison'
end
if state == 'pending' and tonumber(queue_ttl_ms) > 0 and now - created > tonumber(queue_ttl_ms) then
  return 'expired'
end
local parked_until = tonumber(redis.call('HGET', record, 'parked_until'))
if parked_until and parked_until > now then
  redis.call('ZADD', active, integer(math.min(parked_until, now + max_check_ms)), id)
  return 'kept'
end
-- A message that is not in the queue may have died with the worker that took it and had not yet
-- claimed the job. If it has not, the job has two messages, and the second one finds nothing to run.
-- The search begins with the next message that a worker takes: the jobs that are checked are there.
if done == 'taken' or not redis.call('LPOS', queue, envelope, 'RANK', -1) then
  enqueue_next(queue, record, message)
  done = done == 'taken' and done or 'queued'
end
redis.call('HSET', record, 'looks', checks + 1)
local interval = backoff_ms(check_ms, checks, tonumber(max_check_ms))
redis.call('ZADD', active, integer(now + interval), id)
return done
