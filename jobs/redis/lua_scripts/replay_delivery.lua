-- Sends the webhook of a job's end again, with a full new round of attempts.
--
-- KEYS  1 delivery (hash)
-- ARGV  1 ID:EVENT   2 queue message   3 check again after (ms)
-- Returns 1, or 0 if there is no such delivery. A delivery that is being sent at the moment is not
-- sent twice at once: only if that attempt fails, the next one follows without a delay.
local delivery = KEYS[1]
local member, message, check_after_ms = unpack(ARGV)
local state = redis.call('HGET', delivery, 'state')
if not state then
  return 0
end
if state == 'sending' then
  redis.call('HSET', delivery, 'again', 1)
else
  begin_delivery(delivery, member, message, check_after_ms)
end
expire_delivery(delivery)
return 1
