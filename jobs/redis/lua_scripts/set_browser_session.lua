-- Notes the browser session that a job has at a remote end, so that whoever takes the job over can
-- end it: a worker that dies cannot.
--
-- KEYS  1 record (hash)
-- ARGV  1 token   2 session id; '' once it has ended
-- Returns 1, or 0 if the token no longer holds the job: then nothing was written.
local state, holder = unpack(redis.call('HMGET', KEYS[1], 'state', 'token'))
if state ~= 'processing' or holder ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'browser', ARGV[2])
return 1
