-- Hands a running job back to the queue: another worker goes on from its last finished page.
--
-- KEYS  1 record (hash)   2 active (zset)   3 queue (list)   4 counters (hash)
-- ARGV  1 token   2 job id   3 the queue's message   4 look again after (ms)
-- Returns 1, or 0 if the token no longer holds the job: then nothing was written. The state stays
-- 'processing': a caller sees no step back.
local state, holder = unpack(redis.call('HMGET', KEYS[1], 'state', 'token'))
if state ~= 'processing' or holder ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HDEL', KEYS[1], 'token', 'worker')
redis.call('HSET', KEYS[1], 'envelope', ARGV[3], 'looks', 0)
redis.call('ZADD', KEYS[2], string.format('%d', now + ARGV[4]), ARGV[2])
-- On the right: it is the next, it has waited before.
redis.call('RPUSH', KEYS[3], ARGV[3])
count(KEYS[4], KEYS[1], 'released', 1)
return 1
