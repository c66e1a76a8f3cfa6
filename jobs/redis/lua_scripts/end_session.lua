-- Ends a stored session: the next job logs in. The version grows, so that no running job stores what it
-- has made of the old one. Jobs that wait for a session to be imported try to log in.
--
-- KEYS  1 session (hash)   2 index of the site's accounts (zset: name)
-- ARGV  1 account   2 '1' to forget the account too, and the login that is going on, if any
--       3 keep the version for (ms)
-- Returns 1, or 0 if the account is not known.
local session, index = unpack(KEYS)
local account, forget, ttl_ms = unpack(ARGV)
local is_known = redis.call('ZSCORE', index, account) and redis.call('EXISTS', session) == 1
if not is_known then
  return 0
end
redis.call('HINCRBY', session, 'version', 1)
redis.call('HDEL', session, 'state', 'source', 'created_at', 'saved_at', 'used_at',
  'awaited_until')
redis.call('PEXPIRE', session, ttl_ms)
if forget == '1' then
  redis.call('HDEL', session, 'turn_job', 'turn_token')
  redis.call('ZREM', index, account)
end
wake(session .. ':awaiting', -1)
return 1
