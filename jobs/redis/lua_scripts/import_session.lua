-- Stores a session that somebody has imported, in place of any other. The turn to log in ends: a login
-- that is going on will not be stored. Jobs that wait for a session go on.
--
-- KEYS  1 session (hash)   2 index of the site's accounts (zset: name)
-- ARGV  1 account   2 state   3 keep it for (ms)
local session, index = unpack(KEYS)
local account, state, ttl_ms = unpack(ARGV)
local now = integer(now_ms())
redis.call('HINCRBY', session, 'version', 1)
redis.call('HSET', session, 'state', state, 'source', 'import', 'created_at', now, 'saved_at', now)
redis.call('HDEL', session, 'turn_job', 'turn_token', 'used_at', 'awaited_until')
redis.call('PEXPIRE', session, ttl_ms)
redis.call('ZADD', index, 0, account)
wake(session .. ':awaiting', -1)
