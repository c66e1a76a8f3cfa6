-- Registers a live worker with its status; removes workers whose registration has expired, or ends
-- later than one can: Redis' clock has gone back, and those that live register again within seconds.
--
-- KEYS  1 workers (zset: worker by expiry time in ms)   2 worker status (hash: worker to JSON)
-- ARGV  1 worker   2 the registration expires after (ms); 0 or less removes it   3 status (JSON)
-- Returns the number of live workers.
local workers, statuses = unpack(KEYS)
local worker, ttl_ms, status = unpack(ARGV)
local now = now_ms()
redis.call('ZADD', workers, integer(now + ttl_ms), worker)
redis.call('HSET', statuses, worker, status)
local function remove(from, to)
  for _, expired in ipairs(redis.call('ZRANGEBYSCORE', workers, from, to)) do
    redis.call('ZREM', workers, expired)
    redis.call('HDEL', statuses, expired)
  end
end
remove('-inf', integer(now))
if tonumber(ttl_ms) > 0 then
  remove('(' .. integer(now + ttl_ms), '+inf')
end
return redis.call('ZCARD', workers)
