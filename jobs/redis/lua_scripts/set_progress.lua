-- Stores the progress of a running job, in its record and in Celery's result.
--
-- KEYS  1 record (hash)   2 Celery's result (string)   3 counters (hash)
-- ARGV  1 token   2 progress (0 to 100)   3 progress message (JSON)   4 Celery's result (JSON)
--       5 the counter to increment, or ''   6 job id   7 webhook queue message   8 lease (ms)
-- Returns 1, or 0 if the token no longer holds the job: then nothing is written.
local record, result, counters = unpack(KEYS)
local token, progress, progress_message, meta, counter, id, webhook_message, lease_ms = unpack(ARGV)
if not holds_lease(record, token) then
  return 0
end
if counter ~= '' then
  count(counters, record, counter, 1)
end
if tonumber(progress) < tonumber(redis.call('HGET', record, 'progress')) then
  -- Progress never falls; and record and result agree, so the message is not stored either.
  return 1
end
redis.call('HSET', record, 'progress', progress, 'message', progress_message)
redis.call('SET', result, meta)
-- As Celery's own backend does for each stored state: AsyncResult.get() subscribes to this channel.
redis.call('PUBLISH', result, meta)
publish_change(record, id)
schedule_webhook(record, result, id, 'progress', webhook_message, lease_ms)
return 1
