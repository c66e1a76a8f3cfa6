-- Begins a run of the reconciler, if no other worker holds its lock.
--
-- KEYS  1 lock (string: worker)   2 the time of the last run (string: ms)   3 grace (string: exists
--       while no lease is revoked)   4... members by the time at which they are due (zsets: ms)
-- ARGV  1 worker   2 the lock expires after (ms)   3 lease (ms)   4 the longest usual time between two
--       runs (ms)   5 the time since this worker's previous run began, on its own clock (ms); '' if it
--       may have been without Redis since
-- Returns false if another worker holds the lock; else {now (ms), 1 if leases may be revoked}.
--
-- Where Redis may have been away, workers get one lease to renew theirs; also after its clock was set
-- forward. Runs that are late although Redis was there only show that this worker or its connection
-- is slow.
--
-- The clock may also go back: after a failover to another machine, or a correction. Keys with an expiry
-- would then live too long; and deliveries would wait too long, so their times go back as well.
local lock, last_run, grace = unpack(KEYS)
local worker, lock_ttl_ms, lease_ms, max_gap_ms, elapsed_ms = unpack(ARGV)

local function set_back(key, difference)
  local entries = redis.pcall('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #entries, 2 do
    redis.call('ZADD', key, integer(entries[i + 1] - difference), entries[i])
    local delivery = DELIVERY .. entries[i]
    local next_at = tonumber(redis.pcall('HGET', delivery, 'next_at'))
    if next_at then
      redis.call('HSET', delivery, 'next_at', integer(next_at - difference))
    end
  end
end

local holder = redis.call('GET', lock)
if holder and holder ~= worker and redis.call('PTTL', lock) <= tonumber(lock_ttl_ms) then
  return false
end
redis.call('SET', lock, worker, 'PX', lock_ttl_ms)
local now = now_ms()
local last = tonumber(redis.call('GET', last_run)) or 0
redis.call('SET', last_run, integer(now))
if last - now > 1000 then
  for i = 4, #KEYS do
    set_back(KEYS[i], last - now)
  end
end
-- The gap that this worker's own slowness explains.
local own_gap_ms = elapsed_ms == '' and 0 or tonumber(elapsed_ms)
local is_late = now - last > own_gap_ms + max_gap_ms
if is_late or redis.call('PTTL', grace) > tonumber(lease_ms) then
  redis.call('SET', grace, worker, 'PX', lease_ms)
end
return {now, 1 - redis.call('EXISTS', grace)}
