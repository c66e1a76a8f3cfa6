-- Ends a job: the only way into a final state, and the only place where anything starts to expire.
--
-- KEYS  1 record (hash)   2 Celery's result (string)   3 items (list)   4 pages (set)
--       5 active (zset)   6 tombstone (string)
-- ARGV  1 token, or '' to end a job that still waits   2 job id   3 'completed' or 'failed'
--       4 failure (JSON, or '')   5 Celery's result (JSON)   6 results expire after (ms)
--       7 the tombstone is kept for (ms)   8 the tombstone's text
-- Returns 1 if the job has ended by this call, or by an earlier one with this token; else 0, and
-- nothing was written.
local state = redis.call('HGET', KEYS[1], 'state')
local token = redis.call('HGET', KEYS[1], 'token') or ''
if token ~= ARGV[1] then
  return 0
end
if state == 'completed' or state == 'failed' then
  return token ~= '' and 1 or 0
end
if state ~= (token == '' and 'pending' or 'processing') then
  return 0
end
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'ended_at', now)
if ARGV[3] == 'completed' then
  redis.call('HSET', KEYS[1], 'progress', 100)
else
  redis.call('HSET', KEYS[1], 'failure', ARGV[4])
end
redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[6])
redis.call('PUBLISH', KEYS[2], ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[3], ARGV[6])
redis.call('PEXPIRE', KEYS[4], ARGV[6])
redis.call('ZREM', KEYS[5], ARGV[2])
redis.call('SET', KEYS[6], ARGV[8], 'PX', ARGV[7])
return 1
