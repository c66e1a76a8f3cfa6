-- Lets a job wait until somebody has imported a session, since no program can log in.
--
-- KEYS  1 record (hash)   2 session (hash)   3 index of the site's accounts (zset: name)
--       4 jobs that wait for it (zset)
-- ARGV  1 token   2 job id   3 account   4 the version that did not hold; 0 for none
--       5 wait for (ms), from the first time on   6 lease (ms)   7 keep the session for (ms)
-- Returns 'waiting' (the job is no longer its worker's); 'newer' if there is a session meanwhile;
-- 'late' if the time has passed; or 'lost' if the token does not hold the job.
local record, session, index, waiting = unpack(KEYS)
local token, id, account, known, wait_ms, lease_ms, ttl_ms = unpack(ARGV)
if not holds_lease(record, token) then
  return 'lost'
end
local version, state, turn_token =
  unpack(redis.call('HMGET', session, 'version', 'state', 'turn_token'))
if state and tonumber(version) > tonumber(known) then
  return 'newer'
end
local now = now_ms()
local awaited_until = tonumber(redis.call('HGET', record, 'awaited_until')) or now + wait_ms
if awaited_until <= now then
  return 'late'
end
if turn_token == token then
  redis.call('HDEL', session, 'turn_job', 'turn_token')
end
redis.call('HDEL', session, 'state', 'source', 'created_at', 'saved_at', 'used_at')
redis.call('HINCRBY', session, 'version', 1)
redis.call('HSET', session, 'awaited_until', integer(awaited_until))
redis.call('PEXPIRE', session, ttl_ms)
redis.call('ZADD', index, 0, account)
redis.call('HSET', record, 'awaited_until', integer(awaited_until))
park(record, id, waiting, awaited_until - now, lease_ms)
return 'waiting'
