-- Keeps the session of an account.
--
-- KEYS  1 session (hash)   2 index of the site's accounts (zset: name)
-- ARGV  1 the job's lease token   2 the version that it was made from; '' after a login
--       3 state   4 keep it for (ms)   5 account
-- Returns the new version, or '0' if it was not kept: the turn to log in is another job's, or has been
-- meanwhile, or there is a newer version than the one it was made from.
local session, index = unpack(KEYS)
local token, known, state, ttl_ms, account = unpack(ARGV)
local version, turn_token = unpack(redis.call('HMGET', session, 'version', 'turn_token'))
version = version or '0'
local now = integer(now_ms())
if known == '' then
  if turn_token ~= token then
    return '0'
  end
  redis.call('HSET', session, 'source', 'login', 'created_at', now, 'used_at', now)
elseif turn_token or known ~= version then
  return '0'
end
local saved = integer(tonumber(version) + 1)
redis.call('HSET', session, 'version', saved, 'state', state, 'saved_at', now)
redis.call('HDEL', session, 'turn_job', 'turn_token', 'awaited_until')
redis.call('PEXPIRE', session, ttl_ms)
redis.call('ZADD', index, 0, account)
wake(session .. ':awaiting', -1)
return saved
