-- Accepts a job: its record and its message in the queue come to be in one step, or not at all.
--
-- KEYS  1 record (hash)   2 active (zset)   3 queue (list)   4 counters (hash)
-- ARGV  1 job id   2 the queue's message   3 look at the job again after (ms)
--       4... field, value, field, value of the record
-- Returns {1, created_at} for a new job, {0, created_at} if the id is known: a repeat changes nothing.
local known = redis.call('HGET', KEYS[1], 'created_at')
if known then
  return {0, known}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = string.format('%d', now)
redis.call('HSET', KEYS[1], 'state', 'pending', 'created_at', at, 'progress', 0, 'attempt', 0,
  'crashes', 0, 'looks', 0, 'envelope', ARGV[2], unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], string.format('%d', now + ARGV[3]), ARGV[1])
-- kombu pushes on the left and workers pop on the right (BRPOP): the oldest job is the next.
redis.call('LPUSH', KEYS[3], ARGV[2])
count(KEYS[4], KEYS[1], 'accepted', 1)
return {1, at}
