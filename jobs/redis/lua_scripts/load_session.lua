-- Returns the session of an account, for a job that starts with it.
--
-- KEYS  1 session (hash)
-- ARGV  1 keep it for (ms) from now on
-- Returns {version, state}; {} without a session.
local session = KEYS[1]
local version, state = unpack(redis.call('HMGET', session, 'version', 'state'))
if not state then
  return {}
end
redis.call('HSET', session, 'used_at', integer(now_ms()))
redis.call('PEXPIRE', session, ARGV[1])
return {version, state}
