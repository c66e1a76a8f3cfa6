-- Checks one delivery that is due: enqueues its next attempt, or a message that was lost.
--
-- KEYS  1 delivery (hash)   2 due (zset)   3 open (zset)   4 queue (list)   5 attempts (list)
--       6 counters (hash)   7 the delivery of the job's end (hash)
-- ARGV  1 ID:EVENT   2 queue message   3 the attempt that a dead sender did not record (JSON)
--       4 event   5 maximum number of stored attempts   6 given up after (ms)
--       7 check again after (ms)   8 the longest such interval (ms)
-- Returns what was done: 'gone', 'early', 'kept', 'queued' or 'taken' (from a sender that died).
local delivery, due, open, queue, attempts, counters, end_delivery = unpack(KEYS)
local member, message, lost_attempt, event, max_attempts, max_age_ms, check_ms, max_check_ms =
  unpack(ARGV)
local due_at = redis.call('ZSCORE', due, member)
local now = now_ms()
if not due_at or tonumber(due_at) > now then
  return due_at and 'early' or 'gone'
end
local state, envelope, checks, again, since =
  unpack(redis.call('HMGET', delivery, 'state', 'envelope', 'looks', 'again', 'since'))
if state ~= 'waiting' and state ~= 'sending' then
  redis.call('ZREM', due, member)
  redis.call('ZREM', open, member)
  return 'gone'
end
if state == 'sending' then
  redis.call('RPUSH', attempts, lost_attempt)
  redis.call('LTRIM', attempts, -max_attempts, -1)
  redis.call('PEXPIRE', attempts, redis.call('PTTL', delivery))
  if again then
    begin_delivery(delivery, member, message, check_ms)
    return 'taken'
  end
  local has_ended = event ~= 'end' and redis.call('EXISTS', end_delivery) == 1
  if has_ended or now - since > tonumber(max_age_ms) then
    close_delivery(counters, delivery, member, event, 'given_up')
    return 'taken'
  end
  -- The first retries follow at once; then with growing delays (4 hours at most), because the
  -- delivery itself may be what kills its senders.
  local number = redis.call('HINCRBY', delivery, 'tries', 1)
  local delay = number > 3 and math.min(1000 * 2 ^ number, 14400000) or 0
  local next_at = integer(now + delay)
  redis.call('HDEL', delivery, 'token', 'envelope')
  redis.call('HSET', delivery, 'state', 'waiting', 'looks', 0, 'next_at', next_at)
  redis.call('ZADD', due, next_at, member)
  return 'taken'
end
local done = 'kept'
checks = tonumber(checks) or 0
-- The search begins with the next message, and ends where it would be slow: what is further back
-- waits for its turn. Only every eighth check searches a long queue to its end.
local depth = checks % 8 == 7 and 0 or 1000
local function is_queued()
  return redis.call('LPOS', queue, envelope, 'RANK', -1, 'MAXLEN', depth)
    or (depth > 0 and redis.call('LLEN', queue) > depth)
end
-- A message that is not in the queue may have died with the sender that took it and had not yet
-- claimed the delivery. If it has not, there are two messages; the second one finds nothing to send.
if not envelope or not is_queued() then
  redis.call('LPUSH', queue, message)
  redis.call('HSET', delivery, 'envelope', message)
  done = 'queued'
end
redis.call('HSET', delivery, 'looks', checks + 1)
local interval = backoff_ms(check_ms, checks, tonumber(max_check_ms))
redis.call('ZADD', due, integer(now + interval), member)
return done
