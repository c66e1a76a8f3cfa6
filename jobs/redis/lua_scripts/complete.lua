-- Ends a job: the only way into a final state, and the only place where expiry times are set.
--
-- The items of a failed job stay where they are; its record gets their number and that of the pages.
-- The items of a completed job move into Celery's result, in one string: the result's meta data with
-- the length of each block, a line break, the blocks (jobs/model/stored_result.py reads it).
--
-- KEYS  1 record (hash)   2 Celery's result (string)   3 items (list of blocks)   4 item totals (list)
--       5 pages (hash)   6 active (zset)   7 tombstone (string)   8 worker lost (zset)
--       9 unpublished ends (zset)   10 counters (hash)   11 the job queue's messages (list)
--       12 abandoned browser sessions (list)   13... what the workers that read the job have shared
-- ARGV  1 authority: the lease's token; '' for a job that no worker holds; 'worker:NAME' for a job
--         that this worker holds
--       2 job id   3 'completed' or 'failed'   4 failure (JSON, or '')   5 Celery's result (JSON
--         object), whose `date_done` is set here   6 name of the items in the result; '' for a failed
--         job   7 results expire after (ms)
--       8 the tombstone expires after (ms)   9 the tombstone's text; a space and the job's owner, if
--         it has one, follow
--       10 '1' to list the job among those that lost their workers   11 its outcome, for the counters
--       12 webhook queue message   13 lease (ms)   14, 15 the number of items and of
--         pages of a completed job
--       16 how long the attempt took, on its worker's clock (ms); '' if the caller does not know
-- A job's webhook goes over to its delivery, and the long parameters of a cancelled one are removed.
-- Returns 'now' if this call ended the job, 'before' if an earlier call by the same holder did; else
-- false, and nothing is written: also if items or pages of a completed job are missing, which Redis
-- has lost.

-- The parameters of a cancelled job are kept, for lists of jobs, up to this size: starting and
-- cancelling jobs must not fill Redis.
local MAX_CANCELLED_PARAMS = 512

local record, result, items, totals, pages, active, tombstone, worker_lost, unpublished_ends, counters,
  queue, abandoned_sessions = unpack(KEYS)
local authority, id, final_state, failure, meta, collection, result_ttl_ms, tombstone_ttl_ms,
  tombstone_text, is_worker_lost, outcome, webhook_message, lease_ms, expected_items,
  expected_pages, attempt_ms = unpack(ARGV)

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
  if item_count ~= tonumber(expected_items) or redis.call('HLEN', pages) ~= tonumber(expected_pages) then
    return false
  end
end
local now = now_ms()
-- Nothing else in it looks the same: in a text of the result the quotes would be escaped.
meta = meta:gsub('"date_done": null', '"date_done": "' .. iso_time(now) .. '"', 1)
count(counters, record, 'ended', 1, outcome)
local duration = started and math.max(0, now - started) or 0
if started and attempt_ms ~= '' then
  -- Redis' clock may have been set meanwhile. The time before this attempt is known since its claim.
  duration = (tonumber(redis.call('HGET', record, 'ran_before')) or 0) + attempt_ms
end
if started then
  redis.call('HSET', record, 'ran', integer(duration))
  observe(counters, record, 'ran', duration)
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
  local typical = tonumber(redis.call('HGET', counters, 'pace_ms'))
  redis.pcall('HSET', counters, 'pace_ms', integer(typical and typical * 0.8 + duration * 0.2 or duration))
  meta = meta:sub(1, -2) .. ', "items": {"name": "' .. collection .. '", "blocks": ['
    .. table.concat(index, ', ') .. ']}}\n' .. table.concat(blocks)
  redis.call('DEL', items, totals)
else
  redis.call('HSET', record, 'failure', failure, 'items_read', integer(count_items(items, totals)),
    'pages_read', integer(redis.call('HLEN', pages)))
end
if outcome == 'cancelled' and #(redis.call('HGET', record, 'params') or '') > MAX_CANCELLED_PARAMS then
  redis.call('HSET', record, 'params', '{}')
end
redis.call('SET', result, meta, 'PX', result_ttl_ms)
redis.call('PUBLISH', result, meta)
for _, key in ipairs({record, items, totals, pages}) do
  redis.call('PEXPIRE', key, result_ttl_ms)
end
redis.call('DEL', unpack(KEYS, 13))
redis.call('ZREM', active, id)
redis.call('ZADD', unpublished_ends, integer(now), id)
local owner = redis.call('HGET', record, 'caller') or ''
local mark = owner == '' and tombstone_text or tombstone_text .. ' ' .. owner
redis.call('SET', tombstone, mark, 'PX', tombstone_ttl_ms)
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
end_turn(record, id)
schedule_webhook(record, result, id, 'end', webhook_message, lease_ms)
redis.call('HDEL', record, 'webhook')
return 'now'
