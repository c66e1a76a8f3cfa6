-- Appends one finished page: its items and its number, together and only once.
--
-- KEYS  1 record (hash)   2 items (list of blocks)   3 item totals (list: number of items up to and
--       including each block)   4 pages (hash: page number to its head)   5 counters (hash)
--       6 who reads which page (hash)   7 pages that other workers have read (hash)
-- ARGV  1 token   2 page number   3 the page's head (JSON)   4 the number of pages before this one
--       5 the number of items on them   6 URL of the job's first page, to which the items' relative
--         links refer; '' if it is unknown
--       7... pairs: the number of items in a block, the block (jobs/model/item_blocks.py)
-- Returns 'stored', also if the page was stored before; 'lost' if the token no longer holds the job,
-- 'missing' if Redis lacks pages before this one, because it has gone back to an earlier state with
-- the same token: then nothing is written.
local record, items, totals, pages, counters, claims, read = unpack(KEYS)
local token, page, head, pages_before, items_before, page_url = unpack(ARGV)
if not holds_lease(record, token) then
  return 'lost'
end
local stored_pages = redis.call('HLEN', pages)
local stored_items = count_items(items, totals)
local is_stored = redis.call('HGET', pages, page)
if is_stored then
  stored_pages = stored_pages - 1
  for i = 7, #ARGV, 2 do
    stored_items = stored_items - ARGV[i]
  end
end
if stored_pages ~= tonumber(pages_before) or stored_items ~= tonumber(items_before) then
  return 'missing'
end
if is_stored then
  return 'stored'
end
redis.call('HSET', pages, page, head)
local waiting = redis.call('HGET', read, page)
if waiting then
  redis.call('HDEL', read, page)
  redis.call('HINCRBY', claims, 'bytes', -#waiting)
end
if page_url ~= '' then
  redis.call('HSET', record, 'page_url', page_url)
end
local total = tonumber(redis.call('LINDEX', totals, -1) or 0)
-- Version 0.1 stored one item in each element, without a total.
for _ = redis.call('LLEN', totals) + 1, redis.call('LLEN', items) do
  total = total + 1
  redis.call('RPUSH', totals, integer(total))
end
local before = total
for i = 7, #ARGV, 2 do
  total = total + ARGV[i]
  redis.call('RPUSH', totals, integer(total))
  redis.call('RPUSH', items, ARGV[i + 1])
end
count(counters, record, 'pages', 1)
count(counters, record, 'items', total - before)
return 'stored'
