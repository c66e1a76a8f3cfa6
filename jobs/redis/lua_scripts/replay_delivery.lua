-- Has the end of a job told once more, with the whole schedule before it.
--
-- KEYS  1 delivery (hash)
-- ARGV  1 JOB:SLOT   2 a message to queue
-- Returns 1, or 0 if there is no such call back. One that is being sent right now is not sent twice at
-- once: only if that try fails, the next one follows without a pause.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then
  return 0
end
if state == 'sending' then
  redis.call('HSET', KEYS[1], 'again', 1)
else
  begin_delivery(KEYS[1], ARGV[1], ARGV[2])
end
expire_delivery(KEYS[1])
return 1
