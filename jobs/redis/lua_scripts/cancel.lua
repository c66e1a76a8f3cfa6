-- Requests the cancellation of a job.
--
-- KEYS  1 record (hash)
-- Returns 'absent', 'final', 'running' (its worker sees the request at its next heartbeat) or
-- 'waiting' (the caller may end it at once; a worker that claims it meanwhile does so otherwise).
local record = KEYS[1]
local state, holder = unpack(redis.call('HMGET', record, 'state', 'token'))
if not state then
  return 'absent'
end
if is_final(state) then
  return 'final'
end
redis.call('HSET', record, 'cancel', 1)
return holder and 'running' or 'waiting'
