-- Looks at one call back that is due: queues its next try, or what got lost.
--
-- KEYS  1 delivery (hash)   2 due (zset)   3 open (zset)   4 queue (list)   5 tries (list)
--       6 counters (hash)   7 the end's delivery (hash)
-- ARGV  1 JOB:SLOT   2 a message to queue   3 the try that its sender has not lived to tell (JSON)
--       4 slot   5 so many tries are kept   6 given up after (ms)
-- Returns what was done: 'gone', 'early', 'kept', 'queued' or 'taken' (from a sender that died).
local due = redis.call('ZSCORE', KEYS[2], ARGV[1])
local now = clock()
if not due or tonumber(due) > tonumber(now) then
  return due and 'early' or 'gone'
end
local state, envelope, looks, again, since =
  unpack(redis.call('HMGET', KEYS[1], 'state', 'envelope', 'looks', 'again', 'since'))
if state ~= 'waiting' and state ~= 'sending' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
  return 'gone'
end
if state == 'sending' then
  redis.call('RPUSH', KEYS[5], ARGV[3])
  redis.call('LTRIM', KEYS[5], -ARGV[5], -1)
  redis.call('PEXPIRE', KEYS[5], redis.call('PTTL', KEYS[1]))
  if again then
    begin_delivery(KEYS[1], ARGV[1], ARGV[2])
    return 'taken'
  end
  local ended = ARGV[4] ~= 'end' and redis.call('EXISTS', KEYS[7]) == 1
  if ended or now - since > tonumber(ARGV[6]) then
    close_delivery(KEYS[6], KEYS[1], ARGV[1], ARGV[4], 'given_up')
    return 'taken'
  end
  -- At the next look, and then less and less often: it may be this call back that senders die of.
  local tries = redis.call('HINCRBY', KEYS[1], 'tries', 1)
  local pause = tries > 3 and math.min(1000 * 2 ^ tries, 14400000) or 0
  local next_at = string.format('%d', now + pause)
  redis.call('HDEL', KEYS[1], 'token', 'envelope')
  redis.call('HSET', KEYS[1], 'state', 'waiting', 'looks', 0, 'next_at', next_at)
  redis.call('ZADD', KEYS[2], next_at, ARGV[1])
  return 'taken'
end
local done = 'kept'
-- One that a worker has taken from the queue, and not yet from here, has died with it; or else the
-- call back has two messages, of which the second finds nothing to send.
if not envelope or not redis.call('LPOS', KEYS[4], envelope) then
  redis.call('LPUSH', KEYS[4], ARGV[2])
  redis.call('HSET', KEYS[1], 'envelope', ARGV[2])
  done = 'queued'
end
redis.call('HSET', KEYS[1], 'looks', (looks or 0) + 1)
-- Less and less often, for in a long queue each look takes long.
local pause = math.min(15000 * 2 ^ math.min(looks or 0, 20), 300000)
redis.call('ZADD', KEYS[2], string.format('%d', now + pause), ARGV[1])
return done
