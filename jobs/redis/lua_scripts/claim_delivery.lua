-- Gives a call back that is due to one sender.
--
-- KEYS  1 delivery (hash)   2 due (zset)   3 the record that it tells (hash)   4 the result (string)
-- ARGV  1 token   2 JOB:SLOT   3 lease (ms)
-- Returns 'absent', 'early', 'busy' (another sends it), 'delivered' or 'given_up' if there is nothing
-- to send; else {delivery's fields and values, record's fields and values, result or '', now (ms)}. A
-- repeat by the same token is answered alike.
local state, token, next_at = unpack(redis.call('HMGET', KEYS[1], 'state', 'token', 'next_at'))
local now = clock()
if not state then
  return 'absent'
end
if state == 'sending' and token ~= ARGV[1] then
  return 'busy'
end
if state ~= 'sending' then
  if state ~= 'waiting' then
    return state
  end
  if tonumber(next_at) > tonumber(now) then
    return 'early'
  end
  redis.call('HSET', KEYS[1], 'state', 'sending', 'token', ARGV[1])
  redis.call('ZADD', KEYS[2], string.format('%d', now + ARGV[3]), ARGV[2])
end
return {
  redis.call('HGETALL', KEYS[1]),
  redis.call('HGETALL', KEYS[3]),
  redis.call('GET', KEYS[4]) or '',
  now,
}
