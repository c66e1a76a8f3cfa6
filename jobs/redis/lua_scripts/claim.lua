-- Gives a waiting job to one worker: every later write must show the token that is set here.
--
-- KEYS  1 record (hash)   2 Celery's result (string)   3 active (zset)   4 counters (hash)
-- ARGV  1 token   2 worker   3 message (JSON)   4 Celery's result while it runs (JSON)
--       5 job id   6 lease (ms)   7 crashes that are too many   8 the message that tells its owner
-- Returns 'absent', 'final', 'busy', 'cancelled' or 'poison' if there is nothing to run; a list of
-- the record's fields and values if the job is the caller's. A repeat by the same token is answered
-- alike: the reply to a first call may have been lost with its connection.
local state, holder, cancel, crashes, created =
  unpack(redis.call('HMGET', KEYS[1], 'state', 'token', 'cancel', 'crashes', 'created_at'))
if not state then
  return 'absent'
end
if state == 'completed' or state == 'failed' then
  return 'final'
end
if holder then
  -- Also when the lease has run out: only the reconciler takes a job away, and counts the crash.
  return holder == ARGV[1] and redis.call('HGETALL', KEYS[1]) or 'busy'
end
if cancel then
  return 'cancelled'
end
if tonumber(crashes) >= tonumber(ARGV[7]) then
  return 'poison'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'state', 'processing', 'token', ARGV[1], 'worker', ARGV[2])
if redis.call('HINCRBY', KEYS[1], 'attempt', 1) == 1 then
  -- A later attempt goes on where the last one was: what it has shown stays until there is more.
  redis.call('HSET', KEYS[1], 'started_at', string.format('%d', now), 'message', ARGV[3])
  redis.call('SET', KEYS[2], ARGV[4])
  observe(KEYS[4], KEYS[1], 'waited', now - created)
  list(KEYS[1], ARGV[5], 'pending', 'processing')
else
  count(KEYS[4], KEYS[1], 'taken_over', 1)
end
redis.call('ZADD', KEYS[3], string.format('%d', now + ARGV[6]), ARGV[5])
tell(KEYS[1], ARGV[5])
if redis.call('HGET', KEYS[1], 'attempt') == '1' then
  notify(KEYS[1], KEYS[2], ARGV[5], 'started', ARGV[8])
end
return redis.call('HGETALL', KEYS[1])
