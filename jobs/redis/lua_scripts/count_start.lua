-- Counts something that is worth as much as a start.
--
-- KEYS  1 the caller's window (hash)
-- ARGV  1 how many starts it has   2 its length (ms)
-- Returns 0, or the time until the caller has a start left (ms).
return count_start(KEYS[1], ARGV[1], ARGV[2])
