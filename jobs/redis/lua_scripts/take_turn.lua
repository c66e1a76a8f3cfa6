-- Takes a turn at an account whose site limits its sessions, or waits for one.
--
-- KEYS  1 record (hash)   2 the account's turns (hash: lease token by job id)
--       3 jobs that wait for one (zset)
-- ARGV  1 token   2 job id   3 how many jobs may have a turn   4 '1' to wait for one
--       5 lease (ms)   6 wait for (ms)
-- Returns 'ours', 'others', 'waiting' (the job is no longer its worker's), or 'lost' if the token does
-- not hold the job.
local record, turns, waiting = unpack(KEYS)
local token, id, limit, may_wait, lease_ms, wait_ms = unpack(ARGV)
if not holds_lease(record, token) then
  return 'lost'
end
local holders = redis.call('HGETALL', turns)
for i = 1, #holders, 2 do
  -- A worker that has died leaves its turn to the others.
  if not holds_lease(JOB .. holders[i], holders[i + 1]) then
    redis.call('HDEL', turns, holders[i])
  end
end
if redis.call('HLEN', turns) < tonumber(limit) then
  redis.call('HSET', turns, id, token)
  redis.call('ZREM', waiting, id)
  return 'ours'
end
if redis.call('HGET', turns, id) == token then
  return 'ours'
end
if may_wait ~= '1' then
  return 'others'
end
park(record, id, waiting, wait_ms, lease_ms)
return 'waiting'
