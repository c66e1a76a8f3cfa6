-- Stores the id of a job's browser session at a remote end, so that another worker can end the
-- session after this one has died.
--
-- KEYS  1 record (hash)
-- ARGV  1 token   2 session id; '' once it has ended
-- Returns 1, or 0 if the token no longer holds the job: then nothing is written.
local record = KEYS[1]
local token, session = unpack(ARGV)
if not holds_lease(record, token) then
  return 0
end
redis.call('HSET', record, 'browser', session)
return 1
