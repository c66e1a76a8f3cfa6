-- Looks at one job that is due: puts back what got lost, takes away what its worker has left.
--
-- KEYS  1 record (hash)   2 active (zset)   3 queue (list)   4 counters (hash)
-- ARGV  1 job id   2 a message to queue   3 look again after (ms)   4 the longest such pause (ms)
--       5 crashes that are too many   6 longest wait in the queue (ms; 0 is for ever)
--       7 '1' if leases may run out now
-- Returns what was done: 'gone', 'early', 'held', 'kept', 'queued', 'taken' (from a dead worker); or what
-- the caller has to end the job for, because it takes a result to write: 'cancelled', 'poison',
-- 'expired'.
local due = redis.call('ZSCORE', KEYS[2], ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not due or tonumber(due) > now then
  return due and 'early' or 'gone'
end
local state, holder, cancel, crashes, created, looks, envelope = unpack(redis.call('HMGET',
  KEYS[1], 'state', 'token', 'cancel', 'crashes', 'created_at', 'looks', 'envelope'))
if not state or state == 'completed' or state == 'failed' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 'gone'
end
local done = 'kept'
if holder then
  if ARGV[7] ~= '1' then
    return 'held'
  end
  redis.call('HDEL', KEYS[1], 'token', 'worker')
  crashes = redis.call('HINCRBY', KEYS[1], 'crashes', 1)
  done = 'taken'
  count(KEYS[4], KEYS[1], 'crashed', 1)
  looks = '0'
end
if cancel then
  return 'cancelled'
end
if tonumber(crashes) >= tonumber(ARGV[5]) then
  return 'poison'
end
if state == 'pending' and tonumber(ARGV[6]) > 0 and now - created > tonumber(ARGV[6]) then
  return 'expired'
end
-- Nowhere else is it safe: what a worker has taken from the queue and not yet claimed may have died
-- with it. If not, the job has two messages, of which the second finds nothing to run.
if done == 'taken' or not redis.call('LPOS', KEYS[3], envelope) then
  redis.call('RPUSH', KEYS[3], ARGV[2])
  redis.call('HSET', KEYS[1], 'envelope', ARGV[2])
  done = done == 'taken' and done or 'queued'
end
redis.call('HSET', KEYS[1], 'looks', looks + 1)
local pause = math.min(ARGV[3] * 2 ^ math.min(looks, 20), tonumber(ARGV[4]))
redis.call('ZADD', KEYS[2], string.format('%d', now + pause), ARGV[1])
return done
