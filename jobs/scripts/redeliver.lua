-- Looks at one call back that is due: queues its next try, or what got lost.
--
-- KEYS  1 delivery (hash)   2 due (zset)   3 open (zset)   4 queue (list)   5 tries (list)
-- ARGV  1 JOB:SLOT   2 a message to queue   3 the try that its sender has not lived to tell (JSON)
-- Returns what was done: 'gone', 'early', 'kept', 'queued' or 'taken' (from a sender that died).
local due = redis.call('ZSCORE', KEYS[2], ARGV[1])
local now = clock()
if not due or tonumber(due) > tonumber(now) then
  return due and 'early' or 'gone'
end
local state, envelope, looks = unpack(redis.call('HMGET', KEYS[1], 'state', 'envelope', 'looks'))
if state ~= 'waiting' and state ~= 'sending' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
  return 'gone'
end
local done = 'kept'
if state == 'sending' then
  redis.call('HDEL', KEYS[1], 'token', 'again')
  redis.call('HSET', KEYS[1], 'state', 'waiting', 'next_at', now)
  redis.call('HINCRBY', KEYS[1], 'tries', 1)
  redis.call('RPUSH', KEYS[5], ARGV[3])
  redis.call('PEXPIRE', KEYS[5], redis.call('PTTL', KEYS[1]))
  looks = '0'
  done = 'taken'
end
-- One that a worker has taken from the queue, and not yet from here, has died with it; or else the
-- call back has two messages, of which the second finds nothing to send.
if done == 'taken' or not envelope or not redis.call('LPOS', KEYS[4], envelope) then
  redis.call('LPUSH', KEYS[4], ARGV[2])
  redis.call('HSET', KEYS[1], 'envelope', ARGV[2])
  done = done == 'taken' and done or 'queued'
end
redis.call('HSET', KEYS[1], 'looks', (looks or 0) + 1)
-- Less and less often, for in a long queue each look takes long.
local pause = math.min(15000 * 2 ^ math.min(looks or 0, 20), 300000)
redis.call('ZADD', KEYS[2], string.format('%d', now + pause), ARGV[1])
return done
