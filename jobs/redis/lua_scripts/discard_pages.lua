-- Removes all pages of a running job, to be read again: some of their items are missing.
--
-- KEYS  1 record (hash)   2 items (list of blocks)   3 item totals (list)   4 pages (hash)
--       5... who reads which page, and what other workers have read
-- ARGV  1 token
-- Returns 1, or 0 if the token no longer holds the job: then nothing is removed.
local record = KEYS[1]
local token = ARGV[1]
if not holds_lease(record, token) then
  return 0
end
redis.call('DEL', unpack(KEYS, 2))
return 1
