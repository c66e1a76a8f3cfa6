-- Renews a lease.
--
-- KEYS  1 record (hash)   2 active (zset)
-- ARGV  1 token   2 job id   3 lease (ms)
-- Returns 'held', 'cancelled' if the job's cancellation was requested, or 'lost' if the token no
-- longer holds it.
local record, active = unpack(KEYS)
local token, id, lease_ms = unpack(ARGV)
if not holds_lease(record, token) then
  return 'lost'
end
redis.call('ZADD', active, integer(now_ms() + lease_ms), id)
return redis.call('HGET', record, 'cancel') and 'cancelled' or 'held'
