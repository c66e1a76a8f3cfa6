-- Stores a page that a helper has read, until the job's worker takes it; or leaves it to that worker.
--
-- KEYS  1 record (hash)   2 who reads which page (hash)   3 leases of the helpers (zset)
--       4 pages that other workers have read (hash)
-- ARGV  1 token   2 page number   3 the page; '' to leave it to the job's worker   4 '1' if it seems to
--         be the last one of the list   5 how many bytes of pages may wait
-- Returns 1, or 0 if the page is not this helper's any more: then nothing is written.
local record, claims, parts, read = unpack(KEYS)
local token, page, data, is_end, max_bytes = unpack(ARGV)
local lease_end = tonumber(redis.call('ZSCORE', parts, token))
local reader, list_end, waiting_bytes = unpack(redis.call('HMGET', claims, page, 'end', 'bytes'))
if redis.call('HGET', record, 'state') ~= 'processing' or reader ~= token
  or not lease_end or lease_end <= now_ms() then
  return 0
end
if is_end == '1' and tonumber(page) < (tonumber(list_end) or math.huge) then
  redis.call('HSET', claims, 'end', page)
end
if data == '' or tonumber(waiting_bytes or 0) + #data > tonumber(max_bytes) then
  redis.call('HSET', claims, page, '!')
  return 1
end
redis.call('HSET', claims, page, '=')
redis.call('HSET', read, page, data)
redis.call('HINCRBY', claims, 'bytes', #data)
return 1
