-- Ends a job: the only way into a final state, and the only place where anything starts to expire.
--
-- KEYS  1 record (hash)   2 Celery's result (string)   3 items (list)   4 pages (hash)
--       5 active (zset)   6 tombstone (string)   7 given up (zset)   8 untold (zset)
--       9 counters (hash)   10 the queue's messages (list)   11 left sessions (list)
-- ARGV  1 token; '' for a job that no worker holds; 'worker:NAME' for what that worker holds
--       2 job id   3 'completed' or 'failed'   4 failure (JSON, or '')   5 Celery's result (JSON)
--       6 results expire after (ms)   7 the tombstone is kept for (ms)   8 the tombstone's text
--       9 '1' to note the job among those that were given up   10 its outcome, for the counters
--       11 the message that tells its owner
-- Returns 'now' if the job has ended by this call, 'before' if by an earlier one of the same holder;
-- else false, and nothing was written.
local state, holder, worker, started, identical, envelope, browser = unpack(redis.call('HMGET',
  KEYS[1], 'state', 'token', 'worker', 'started_at', 'identical', 'envelope', 'browser'))
if not state then
  return false
end
if (holder or '') ~= ARGV[1] and not (holder and 'worker:' .. (worker or '') == ARGV[1]) then
  return false
end
if state == 'completed' or state == 'failed' then
  return holder and 'before'
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now = string.format('%d', now_ms)
count(KEYS[9], KEYS[1], 'ended', 1, ARGV[10])
if started then
  observe(KEYS[9], KEYS[1], 'ran', now_ms - started)
end
local outcomes = 'garimpo:outcomes:' .. math.floor(now_ms / 3600000)
count(outcomes, KEYS[1], 'ended', 1, ARGV[10])
redis.call('EXPIRE', outcomes, 25 * 3600)
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'ended_at', now)
redis.call('HDEL', KEYS[1], 'envelope', 'looks', 'cancel', 'identical')
if envelope and not holder then
  -- Nobody waits for its message any more: what is counted in the queue are jobs that wait.
  redis.call('LREM', KEYS[10], 1, envelope)
end
if (browser or '') ~= '' and holder ~= ARGV[1] then
  -- Whoever has had it cannot end it, and no other attempt will.
  redis.call('RPUSH', KEYS[11], browser)
  redis.call('EXPIRE', KEYS[11], 3600)
end
if ARGV[3] == 'completed' then
  redis.call('HSET', KEYS[1], 'progress', 100)
  -- What a job takes nowadays: each new one counts for a fifth.
  local pace, ran = redis.call('HGET', KEYS[9], 'pace_ms'), now_ms - started
  redis.call('HSET', KEYS[9], 'pace_ms', string.format('%d', pace and pace * 0.8 + ran * 0.2 or ran))
else
  redis.call('HSET', KEYS[1], 'failure', ARGV[4])
end
redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[6])
redis.call('PUBLISH', KEYS[2], ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[3], ARGV[6])
redis.call('PEXPIRE', KEYS[4], ARGV[6])
redis.call('ZREM', KEYS[5], ARGV[2])
redis.call('ZADD', KEYS[8], now, ARGV[2])
redis.call('SET', KEYS[6], ARGV[8], 'PX', ARGV[7])
if ARGV[9] == '1' then
  redis.call('ZADD', KEYS[7], now, ARGV[2])
  -- No longer than anybody can be told of the job.
  redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', string.format('%d', now_ms - ARGV[7]))
end
if identical and redis.call('GET', identical) == ARGV[2] then
  redis.call('DEL', identical)
end
list(KEYS[1], ARGV[2], state, ARGV[3])
forget_gone(KEYS[1], ARGV[3])
tell(KEYS[1], ARGV[2], ' end')
hush(KEYS[9], ARGV[2])
notify(KEYS[1], KEYS[2], ARGV[2], 'end', ARGV[11])
return 'now'
