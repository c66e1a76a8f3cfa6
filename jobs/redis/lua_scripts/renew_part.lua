-- Renews the lease of a worker that helps with a job.
--
-- KEYS  1 record (hash)   2 leases of the helpers (zset)
-- ARGV  1 token   2 lease (ms)
-- Returns 'held', 'cancelled' if the job's cancellation was requested, or 'lost' if the lease has ended,
-- or the job.
local record, parts = unpack(KEYS)
local token, lease_ms = unpack(ARGV)
local lease_end = tonumber(redis.call('ZSCORE', parts, token))
local state, cancel = unpack(redis.call('HMGET', record, 'state', 'cancel'))
if state ~= 'processing' or not lease_end or lease_end <= now_ms() then
  return 'lost'
end
redis.call('ZADD', parts, integer(now_ms() + lease_ms), token)
return cancel and 'cancelled' or 'held'
