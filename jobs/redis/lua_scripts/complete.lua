-- Ends a job: the only way into a final state, and the only place where expiry times are set.
--
-- The items of a completed job move into Celery's result, in one string: the result's meta data with
-- the length of each block, a line break, the blocks (jobs/model/stored_result.py reads it).
--
-- KEYS  1 record (hash)   2 Celery's result (string)   3 items (list of blocks)   4 item totals (list)
--       5 pages (hash)   6 active (zset)   7 tombstone (string)   8 worker lost (zset)
--       9 unpublished ends (zset)   10 counters (hash)   11 the job queue's messages (list)
--       12 abandoned browser sessions (list)
-- ARGV  1 authority: the lease's token; '' for a job that no worker holds; 'worker:NAME' for a job
--         that this worker holds
--       2 job id   3 'completed' or 'failed'   4 failure (JSON, or '')   5 Celery's result (JSON
--       object)   6 name of the items in the result; '' for a failed job   7 results expire after (ms)
--       8 the tombstone expires after (ms)   9 the tombstone's text
--       10 '1' to list the job among those that lost their workers   11 its outcome, for the counters
--       12 webhook queue message   13 lease (ms)   14 the number of items of a completed job
-- Returns 'now' if this call ended the job, 'before' if an earlier call by the same holder did; else
-- false, and nothing is written: also if items of a completed job are missing, which Redis has lost.
local record, result, items, totals, pages, active, tombstone, worker_lost, unpublished_ends, counters,
  queue, abandoned_sessions = unpack(KEYS)
local authority, id, final_state, failure, meta, collection, result_ttl_ms, tombstone_ttl_ms,
  tombstone_text, is_worker_lost, outcome, webhook_message, lease_ms, expected_items = unpack(ARGV)

-- An item that version 0.1 stored, in plain ASCII: offsets in a result are bytes and characters alike.
local function escape_non_ascii(item)
  return (item:gsub('[\194-\244][\128-\191]+', function(char)
    local bytes = {char:byte(1, -1)}
    local code = bytes[1] - ({192, 224, 240})[#bytes - 1]
    for i = 2, #bytes do
      code = code * 64 + bytes[i] - 128
    end
    if code < 65536 then
      return string.format('\\u%04x', code)
    end
    code = code - 65536
    return string.format('\\u%04x\\u%04x', 55296 + math.floor(code / 1024), 56320 + code % 1024)
  end))
end

-- Returns the blocks of a job, their index for the result (number of items, length, size of the
-- text), and the number of items.
local function read_blocks(items, totals)
  local blocks = redis.call('LRANGE', items, 0, -1)
  local counted = redis.call('LRANGE', totals, 0, -1)
  local index, total = {}, 0
  for i, block in ipairs(blocks) do
    local size = block:match('^%d+')
    if not size then
      block = escape_non_ascii(block)
      blocks[i] = block
      size = #block
    end
    local previous = total
    total = tonumber(counted[i] or previous + 1)
    index[i] = string.format('[%d, %d, %d]', total - previous, #block, size)
  end
  return blocks, index, total
end

local state, holder, worker, started, identical, envelope, browser = unpack(redis.call('HMGET',
  record, 'state', 'token', 'worker', 'started_at', 'identical', 'envelope', 'browser'))
if not state then
  return false
end
if (holder or '') ~= authority and not (holder and 'worker:' .. (worker or '') == authority) then
  return false
end
if is_final(state) then
  return holder and 'before'
end
local blocks, index = {}, {}
if final_state == 'completed' then
  local item_count
  blocks, index, item_count = read_blocks(items, totals)
  if item_count ~= tonumber(expected_items) then
    return false
  end
end
local now = now_ms()
count(counters, record, 'ended', 1, outcome)
if started then
  observe(counters, record, 'ran', now - started)
end
local hourly_outcomes = HOURLY_OUTCOMES .. math.floor(now / 3600000)
count(hourly_outcomes, record, 'ended', 1, outcome)
redis.call('EXPIRE', hourly_outcomes, 25 * 3600)
redis.call('HSET', record, 'state', final_state, 'ended_at', integer(now))
redis.call('HDEL', record, 'envelope', 'looks', 'cancel', 'identical')
if envelope and not holder then
  -- Its message is of no use any more, and the length of the queue is the number of waiting jobs.
  redis.call('LREM', queue, 1, envelope)
end
if (browser or '') ~= '' and holder ~= authority then
  -- The worker that opened the session cannot end it, and there is no further attempt.
  redis.call('RPUSH', abandoned_sessions, browser)
  redis.call('EXPIRE', abandoned_sessions, 3600)
end
if final_state == 'completed' then
  redis.call('HSET', record, 'progress', 100)
  -- A moving average of the duration of completed jobs: each new one counts for a fifth.
  local typical = redis.call('HGET', counters, 'pace_ms')
  local duration = now - started
  redis.call('HSET', counters, 'pace_ms', integer(typical and typical * 0.8 + duration * 0.2 or duration))
  meta = meta:sub(1, -2) .. ', "items": {"name": "' .. collection .. '", "blocks": ['
    .. table.concat(index, ', ') .. ']}}\n' .. table.concat(blocks)
  redis.call('DEL', items, totals)
else
  redis.call('HSET', record, 'failure', failure)
end
redis.call('SET', result, meta, 'PX', result_ttl_ms)
redis.call('PUBLISH', result, meta)
for _, key in ipairs({record, items, totals, pages}) do
  redis.call('PEXPIRE', key, result_ttl_ms)
end
redis.call('ZREM', active, id)
redis.call('ZADD', unpublished_ends, integer(now), id)
redis.call('SET', tombstone, tombstone_text, 'PX', tombstone_ttl_ms)
if is_worker_lost == '1' then
  redis.call('ZADD', worker_lost, integer(now), id)
  -- No longer than the tombstone, which is all that is left of such a job.
  redis.call('ZREMRANGEBYSCORE', worker_lost, '-inf', integer(now - tombstone_ttl_ms))
end
if identical and redis.call('GET', identical) == id then
  redis.call('DEL', identical)
end
move_between_indexes(record, id, state, final_state)
prune_expired(record, final_state)
publish_change(record, id, ' end')
cancel_pending_webhooks(counters, id)
schedule_webhook(record, result, id, 'end', webhook_message, lease_ms)
return 'now'
