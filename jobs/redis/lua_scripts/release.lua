-- Returns a running job to the queue: another worker continues after its last finished page.
--
-- KEYS  1 record (hash)   2 active (zset)   3 queue (list)   4 counters (hash)
-- ARGV  1 token   2 job id   3 queue message   4 check again after (ms)
-- Returns 1, or 0 if the token no longer holds the job: then nothing is written. The state remains
-- 'processing': clients never see it go back.
local record, active, queue, counters = unpack(KEYS)
local token, id, message, check_after_ms = unpack(ARGV)
if not holds_lease(record, token) then
  return 0
end
redis.call('HDEL', record, 'token', 'worker')
redis.call('HSET', record, 'looks', 0)
-- First in the queue, because it has waited before; unless the worker has already put back the
-- message that it had received.
local envelope = redis.call('HGET', record, 'envelope')
if not (envelope and redis.call('LPOS', queue, envelope, 'RANK', -1)) then
  enqueue_next(queue, record, message)
end
redis.call('ZADD', active, integer(now_ms() + check_after_ms), id)
count(counters, record, 'released', 1)
end_turn(record, id)
return 1
