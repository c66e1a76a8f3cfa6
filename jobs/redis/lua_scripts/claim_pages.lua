-- Lets one of the workers that read a job together have its next pages.
--
-- KEYS  1 record (hash)   2 who reads which page (hash)   3 leases of the helpers (zset: token by their
--       end)   4 the job queue (list)   5 pages that helpers have read (hash)
-- ARGV  1 token   2 the caller: 'job' holds the job's lease; 'new' is a helper without a lease, 'part'
--         one with a lease   3 the first page that the job needs; a helper's is looked up   4 the last
--       5 how many pages the caller may have; 0 to ask whether there are any
--       6 how many pages, from the first one on, may be read before that is stored
--       7 a helper's lease (ms)   8 how many bytes of pages may wait
-- Returns {status, page...}: all pages of the caller that are not read yet, in their order.
--   'read'   these pages; of a job's worker perhaps none: helpers read them all, or the job is
--            cancelled, of which the next renewal of its lease tells
--   'wait'   none for this helper just now
--   'done'   none is left for a helper
--   'busy'   there are some, or will be, but a job waits for a worker
--   'over'   the job has ended, is cancelled or waits for its account, or the caller's lease is lost
local record, claims, parts, queue, read = unpack(KEYS)
local token, caller, first, last, limit, ahead, lease_ms, max_bytes = unpack(ARGV)
first, last, limit, ahead = tonumber(first), tonumber(last), tonumber(limit), tonumber(ahead)
local now = now_ms()
local is_helper = caller ~= 'job'
local state, holder, cancel, parked =
  unpack(redis.call('HMGET', record, 'state', 'token', 'cancel', 'parked'))

local function is_live(reader)
  local lease_end = tonumber(redis.call('ZSCORE', parts, reader))
  return reader == holder or (lease_end and lease_end > now)
end

if state ~= 'processing' or (is_helper and (cancel or parked)) then
  return {'over'}
end
if caller ~= 'new' and not is_live(token) then
  return {'over'}
end
if caller == 'new' then
  redis.call('ZADD', parts, integer(now + lease_ms), token)
end
local from, list_end, waiting_bytes = unpack(redis.call('HMGET', claims, 'from', 'end', 'bytes'))
if is_helper then
  first = tonumber(from) or first
else
  redis.call('HSET', claims, 'from', integer(first))
end
list_end = tonumber(list_end)
if list_end and list_end >= first then
  -- A helper has seen the end of the list; the job's worker decides whether it is one.
  last = math.min(last, list_end)
end
if not is_helper and redis.call('HGET', claims, integer(first)) == '='
  and not redis.call('HGET', read, integer(first)) then
  redis.call('HDEL', claims, integer(first))  -- Redis has lost the page, for example by evicting keys
end
local window_end = math.min(last, first + ahead - 1)
local mine, free = {}, {}
for page = first, window_end do
  local reader = redis.call('HGET', claims, integer(page))
  if reader == token then
    table.insert(mine, page)
  elseif not reader or (reader == '!' and not is_helper)
    or (reader ~= '!' and reader ~= '=' and not is_live(reader)) then
    table.insert(free, page)
  end
end
local is_full = tonumber(waiting_bytes or 0) >= tonumber(max_bytes)
local has_waiting_job = redis.call('LLEN', queue) > 0
if is_helper and #mine == 0 then
  if #free == 0 and window_end >= last then
    return {'done'}
  end
  if has_waiting_job then
    return {'busy'}
  end
  if #free == 0 or is_full then
    return {'wait'}
  end
end
if not cancel and (not is_helper or not (is_full or has_waiting_job)) then
  for _, page in ipairs(free) do
    -- The job's worker waits for the first page: it may have that in any case.
    if #mine >= limit and (is_helper or page > first) then
      break
    end
    redis.call('HSET', claims, integer(page), token)
    table.insert(mine, page)
  end
end
table.sort(mine)
local reply = {'read'}
for _, page in ipairs(mine) do
  table.insert(reply, integer(page))
end
return reply
