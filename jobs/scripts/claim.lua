-- Gives a waiting job to one worker: every later write must show the token that is set here.
--
-- KEYS  1 record (hash)   2 Celery's result (string)
-- ARGV  1 token   2 worker   3 message (JSON)   4 Celery's result while it runs (JSON)
-- Returns 'absent', 'final' or 'busy' if there is nothing to do for this delivery; a list of the
-- record's fields and values if the job is the caller's. A repeat by the same token is answered
-- alike: the reply to a first call may have been lost with its connection.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then
  return 'absent'
end
if state == 'completed' or state == 'failed' then
  return 'final'
end
if state == 'processing' then
  if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
    return 'busy'
  end
  return redis.call('HGETALL', KEYS[1])
end
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSETNX', KEYS[1], 'started_at', now)
redis.call('HINCRBY', KEYS[1], 'attempt', 1)
redis.call('HSET', KEYS[1], 'state', 'processing', 'token', ARGV[1], 'worker', ARGV[2], 'message', ARGV[3])
redis.call('SET', KEYS[2], ARGV[4])
return redis.call('HGETALL', KEYS[1])
