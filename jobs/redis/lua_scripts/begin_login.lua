-- Returns a newer session of an account, or takes the turn to log in.
--
-- KEYS  1 session (hash)
-- ARGV  1 job id   2 the job's lease token   3 the version that did not hold; 0 for none
--       4 keep the session for (ms) from now on
-- Returns {version, state} of a newer session; {'ours'}, also if it was ours already; {'others'} while a
-- job that holds its lease is logging in; or {'awaited'} while a person has to import a session. A
-- worker that dies leaves its turn to the others once its lease ends.
local session = KEYS[1]
local id, token, known, ttl_ms = unpack(ARGV)
local version, state, turn_job, turn_token, awaited_until = unpack(redis.call('HMGET', session,
  'version', 'state', 'turn_job', 'turn_token', 'awaited_until'))
if state and tonumber(version) > tonumber(known) then
  redis.call('HSET', session, 'used_at', integer(now_ms()))
  redis.call('PEXPIRE', session, ttl_ms)
  return {version, state}
end
if awaited_until and tonumber(awaited_until) > now_ms() then
  return {'awaited'}
end
if turn_token and turn_token ~= token and holds_lease(JOB .. turn_job, turn_token) then
  return {'others'}
end
redis.call('HSET', session, 'turn_job', id, 'turn_token', token)
redis.call('PEXPIRE', session, ttl_ms)
return {'ours'}
