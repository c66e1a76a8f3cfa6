-- Asks for the end of a job.
--
-- KEYS  1 record (hash)
-- Returns 'absent', 'final', 'running' (its worker sees it at its next heartbeat) or 'waiting' (the
-- caller may end it at once; whoever meets it otherwise does).
local state, holder = unpack(redis.call('HMGET', KEYS[1], 'state', 'token'))
if not state then
  return 'absent'
end
if state == 'completed' or state == 'failed' then
  return 'final'
end
redis.call('HSET', KEYS[1], 'cancel', 1)
return holder and 'running' or 'waiting'
