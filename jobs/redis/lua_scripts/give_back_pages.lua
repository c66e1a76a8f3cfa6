-- Gives pages of a helper back, for others to read; the helper keeps its lease.
--
-- KEYS  1 who reads which page (hash)
-- ARGV  1 token   2... page numbers
local claims, token = KEYS[1], ARGV[1]
for i = 2, #ARGV do
  if redis.call('HGET', claims, ARGV[i]) == token then
    redis.call('HDEL', claims, ARGV[i])
  end
end
