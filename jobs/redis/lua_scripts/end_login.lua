-- Gives the turn to log in back.
--
-- KEYS  1 session (hash)
-- ARGV  1 the job's lease token
if redis.call('HGET', KEYS[1], 'turn_token') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'turn_job', 'turn_token')
end
