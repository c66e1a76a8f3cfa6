-- Appends one finished page: its items and its number, together and only once.
--
-- KEYS  1 record (hash)   2 items (list of blocks)   3 item totals (list: number of items up to and
--       including each block)   4 pages (hash: page number to its warnings)   5 counters (hash)
-- ARGV  1 token   2 page number   3 the page's warnings (JSON)
--       4... pairs: the number of items in a block, the block (jobs/model/item_blocks.py)
-- Returns 1, or 0 if the token no longer holds the job: then nothing is written.
local record, items, totals, pages, counters = unpack(KEYS)
local token, page, warnings = unpack(ARGV)
if not holds_lease(record, token) then
  return 0
end
if redis.call('HSETNX', pages, page, warnings) == 0 then
  return 1
end
local total = tonumber(redis.call('LINDEX', totals, -1) or 0)
-- Version 0.1 stored one item in each element, without a total.
for _ = redis.call('LLEN', totals) + 1, redis.call('LLEN', items) do
  total = total + 1
  redis.call('RPUSH', totals, integer(total))
end
local before = total
for i = 4, #ARGV, 2 do
  total = total + ARGV[i]
  redis.call('RPUSH', totals, integer(total))
  redis.call('RPUSH', items, ARGV[i + 1])
end
count(counters, record, 'pages', 1)
count(counters, record, 'items', total - before)
return 1
