-- Tells how far a running job is, in its record and in Celery's result.
--
-- KEYS  1 record (hash)   2 Celery's result (string)   3 counters (hash)
-- ARGV  1 token   2 progress (0 to 100)   3 message (JSON)   4 Celery's result (JSON)
--       5 what begins with this message and is counted, or ''   6 job id   7 the message that tells its owner
-- Returns 1, or 0 if the token no longer holds the job: then nothing was written.
if redis.call('HGET', KEYS[1], 'state') ~= 'processing' or redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
if ARGV[5] ~= '' then
  count(KEYS[3], KEYS[1], ARGV[5], 1)
end
if tonumber(ARGV[2]) < tonumber(redis.call('HGET', KEYS[1], 'progress')) then
  -- It never falls; and record and result tell the same, so the message waits as well.
  return 1
end
redis.call('HSET', KEYS[1], 'progress', ARGV[2], 'message', ARGV[3])
redis.call('SET', KEYS[2], ARGV[4])
-- Celery's own backend publishes what it stores: whoever waits in AsyncResult.get() listens there.
redis.call('PUBLISH', KEYS[2], ARGV[4])
tell(KEYS[1], ARGV[6])
notify(KEYS[1], KEYS[2], ARGV[6], 'progress', ARGV[7])
return 1
