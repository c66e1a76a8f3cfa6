-- Says that a worker is alive and what it does; forgets those that have been silent for too long.
--
-- KEYS  1 workers (zset)   2 what they do (hash: worker to JSON)
-- ARGV  1 worker   2 believed for (ms); 0 or less takes the worker off the list   3 what it does (JSON)
-- Returns how many workers are alive.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%d', now + ARGV[2]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now))) do
  redis.call('ZREM', KEYS[1], silent)
  redis.call('HDEL', KEYS[2], silent)
end
return redis.call('ZCARD', KEYS[1])
