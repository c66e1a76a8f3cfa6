-- Accepts a job: its record and its message in the queue come to be in one step, or not at all.
--
-- KEYS  1 record (hash)   2 active (zset)   3 queue (list)   4 counters (hash)
--       5 what the caller's Idempotency-Key has led to (string: id, created_at, fingerprint,
--         and what to answer to a repeat)
--       6 the identical job that was started last (string: id)
-- ARGV  1 job id   2 the queue's message   3 look at the job again after (ms)
--       4 an Idempotency-Key is kept for (ms); 0 if there is none   5 the request's fingerprint
--       6 '1' to join an identical job that has not ended
--       7... field, value, field, value of the record
-- Returns {word, created_at, id}: 'accepted'; 'repeated' if this id or this Idempotency-Key is known,
-- which changes nothing; 'joined' to another job; 'rejoined' if the key has led to one that was joined;
-- 'conflict' if the key was used for another request.
local known = redis.call('HGET', KEYS[1], 'created_at')
if known then
  return {'repeated', known, ARGV[1]}
end
local function remember(id, created, word)
  if ARGV[4] ~= '0' then
    redis.call('SET', KEYS[5], table.concat({id, created, ARGV[5], word}, ' '), 'PX', ARGV[4])
  end
end
if ARGV[4] ~= '0' then
  local earlier = redis.call('GET', KEYS[5])
  if earlier then
    local id, created, fingerprint, word = string.match(earlier, '^(%S+) (%S+) (%S+) (%S+)$')
    return {fingerprint == ARGV[5] and word or 'conflict', created, id}
  end
end
if ARGV[6] == '1' then
  local id = redis.call('GET', KEYS[6])
  local state, created, cancel =
    unpack(redis.call('HMGET', 'garimpo:job:' .. (id or ''), 'state', 'created_at', 'cancel'))
  if (state == 'pending' or state == 'processing') and not cancel then
    remember(id, created, 'rejoined')
    return {'joined', created, id}
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = string.format('%d', now)
redis.call('HSET', KEYS[1], 'state', 'pending', 'created_at', at, 'progress', 0, 'attempt', 0,
  'crashes', 0, 'looks', 0, 'envelope', ARGV[2], 'identical', KEYS[6], unpack(ARGV, 7))
redis.call('ZADD', KEYS[2], string.format('%d', now + ARGV[3]), ARGV[1])
redis.call('SET', KEYS[6], ARGV[1])
remember(ARGV[1], at, 'repeated')
list(KEYS[1], ARGV[1], false, 'pending')
-- kombu pushes on the left and workers pop on the right (BRPOP): the oldest job is the next.
redis.call('LPUSH', KEYS[3], ARGV[2])
count(KEYS[4], KEYS[1], 'accepted', 1)
tell(KEYS[1], ARGV[1])
return {'accepted', at, ARGV[1]}
