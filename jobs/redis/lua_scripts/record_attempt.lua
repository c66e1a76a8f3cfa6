-- Notes how a try of a call back has ended, and what comes next.
--
-- KEYS  1 delivery (hash)   2 due (zset)   3 tries (list)   4 counters (hash)   5 the end's (hash)
-- ARGV  1 token   2 JOB:SLOT   3 slot   4 'delivered', 'given_up' or 'waiting' for another try
--       5 pause until that (ms)   6 the try (JSON)   7 the class of its answer, for the counters
--       8 '1' if it was answered with 404 or 409   9 the revision that was sent
--       10 a message to queue, if it is sent anew at once   11 so many tries are kept
-- Returns the state from now on; 'lost' if the token no longer holds it: then nothing was written.
local state, token, revision, again =
  unpack(redis.call('HMGET', KEYS[1], 'state', 'token', 'revision', 'again'))
if state ~= 'sending' or token ~= ARGV[1] then
  return 'lost'
end
redis.call('RPUSH', KEYS[3], ARGV[6])
redis.call('LTRIM', KEYS[3], -ARGV[11], -1)
redis.call('PEXPIRE', KEYS[3], redis.call('PTTL', KEYS[1]))
count(KEYS[4], KEYS[1] .. ':record', 'callback_tries', 1, ARGV[7])
local ended = ARGV[3] ~= 'end' and redis.call('EXISTS', KEYS[5]) == 1
local newer = revision ~= ARGV[9] and not ended
local after = ARGV[4]
if (newer and after ~= 'waiting') or (again and after ~= 'delivered') then
  -- There is more to tell, or it was asked for meanwhile.
  begin_delivery(KEYS[1], ARGV[2], ARGV[10])
  return 'waiting'
end
if ended and after == 'waiting' then
  after = 'given_up'
end
if after ~= 'waiting' then
  close_delivery(KEYS[4], KEYS[1], ARGV[2], ARGV[3], after)
  return after
end
local next_at = string.format('%d', clock() + ARGV[5])
redis.call('HDEL', KEYS[1], 'token', 'envelope')
redis.call('HSET', KEYS[1], 'state', 'waiting', 'next_at', next_at, 'looks', 0)
redis.call('HINCRBY', KEYS[1], 'tries', 1)
redis.call('HINCRBY', KEYS[1], 'absences', ARGV[8])
redis.call('ZADD', KEYS[2], next_at, ARGV[2])
return after
