-- Says that a worker is alive, and forgets those that have not said so for too long.
--
-- KEYS  1 workers (zset)
-- ARGV  1 worker   2 believed for (ms); 0 or less takes the worker off the list
-- Returns how many workers are alive.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%d', now + ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now))
return redis.call('ZCARD', KEYS[1])
