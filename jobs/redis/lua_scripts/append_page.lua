-- Adds one finished page: its items and its number, together or not at all, and once only.
--
-- KEYS  1 record (hash)   2 items (list)   3 pages (hash: number to its warnings)   4 counters (hash)
-- ARGV  1 token   2 page number   3 the page's warnings (JSON)
--       4... the page's items, each one JSON object
-- Returns 1, or 0 if the token no longer holds the job: then nothing was written.
if redis.call('HGET', KEYS[1], 'state') ~= 'processing' or redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
if redis.call('HSETNX', KEYS[3], ARGV[2], ARGV[3]) == 1 then
  for i = 4, #ARGV do
    redis.call('RPUSH', KEYS[2], ARGV[i])
  end
  count(KEYS[4], KEYS[1], 'pages', 1)
  count(KEYS[4], KEYS[1], 'items', #ARGV - 3)
end
return 1
