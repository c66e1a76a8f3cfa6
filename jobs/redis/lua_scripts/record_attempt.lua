-- Records an attempt of a delivery, and what follows.
--
-- KEYS  1 delivery (hash)   2 due (zset)   3 attempts (list)   4 counters (hash)
--       5 the delivery of the job's end (hash)
-- ARGV  1 token   2 ID:EVENT   3 event   4 'delivered', 'given_up' or 'waiting' for a retry
--       5 delay of the retry (ms)   6 the attempt (JSON)   7 its outcome, for the counters
--       8 '1' if it was answered with 404 or 409   9 the revision that was sent
--       10 queue message for a new round that begins at once   11 maximum number of stored attempts
--       12 check again after (ms)
-- Returns the new state; 'lost' if the token no longer holds the delivery: then nothing is written.
local delivery, due, attempts, counters, end_delivery = unpack(KEYS)
local token, member, event, new_state, delay_ms, attempt, outcome, is_not_found, sent_revision, message,
  max_attempts, check_after_ms = unpack(ARGV)
local state, holder, revision, again =
  unpack(redis.call('HMGET', delivery, 'state', 'token', 'revision', 'again'))
if state ~= 'sending' or holder ~= token then
  return 'lost'
end
redis.call('RPUSH', attempts, attempt)
redis.call('LTRIM', attempts, -max_attempts, -1)
redis.call('PEXPIRE', attempts, redis.call('PTTL', delivery))
count(counters, delivery .. ':record', 'callback_tries', 1, outcome)
local has_ended = event ~= 'end' and redis.call('EXISTS', end_delivery) == 1
local has_changed = revision ~= sent_revision and not has_ended
if (has_changed and new_state ~= 'waiting') or (again and new_state ~= 'delivered') then
  -- There is a newer state to send, or a replay was requested meanwhile.
  begin_delivery(delivery, member, message, check_after_ms)
  return 'waiting'
end
if has_ended and new_state == 'waiting' then
  new_state = 'given_up'
end
if new_state ~= 'waiting' then
  close_delivery(counters, delivery, member, event, new_state)
  return new_state
end
local next_at = integer(now_ms() + delay_ms)
redis.call('HDEL', delivery, 'token', 'envelope')
redis.call('HSET', delivery, 'state', 'waiting', 'next_at', next_at, 'looks', 0)
redis.call('HINCRBY', delivery, 'tries', 1)
redis.call('HINCRBY', delivery, 'absences', is_not_found)
redis.call('ZADD', due, next_at, member)
return new_state
