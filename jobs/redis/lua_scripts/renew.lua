-- Keeps a lease alive.
--
-- KEYS  1 record (hash)   2 active (zset)
-- ARGV  1 token   2 job id   3 lease (ms)
-- Returns 'held', 'cancelled' if the job shall end, or 'lost' if the token no longer holds it.
local state, holder, cancel = unpack(redis.call('HMGET', KEYS[1], 'state', 'token', 'cancel'))
if state ~= 'processing' or holder ~= ARGV[1] then
  return 'lost'
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[2], string.format('%d', now + ARGV[3]), ARGV[2])
return cancel and 'cancelled' or 'held'
