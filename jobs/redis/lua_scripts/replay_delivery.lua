-- Sends the webhook of a job's end again, with a full new round of attempts.
--
-- KEYS  1 delivery (hash)
-- ARGV  1 ID:EVENT   2 queue message   3 check again after (ms)   4 the shortest time between two
--       replays (ms)
-- Returns 0; 'absent' if there is no such delivery; or the time until a replay is possible (ms): then
-- nothing is changed. A delivery that is being sent at the moment is not sent twice at once: only if
-- that attempt fails, the next one follows without a delay.
local delivery = KEYS[1]
local member, message, check_after_ms, interval_ms = unpack(ARGV)
local state, replayed_at = unpack(redis.call('HMGET', delivery, 'state', 'replayed_at'))
if not state then
  return 'absent'
end
local now = now_ms()
local wait_ms = (tonumber(replayed_at) or 0) + interval_ms - now
-- A longer wait than the interval means that Redis' clock has gone back.
if wait_ms > 0 and wait_ms <= tonumber(interval_ms) then
  return wait_ms
end
redis.call('HSET', delivery, 'replayed_at', integer(now))
if state == 'sending' then
  redis.call('HSET', delivery, 'again', 1)
else
  begin_delivery(delivery, member, message, check_after_ms)
end
expire_delivery(delivery)
return 0
