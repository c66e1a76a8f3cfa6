-- Leases a delivery that is due to one sender.
--
-- KEYS  1 delivery (hash)   2 due (zset)   3 copy of the record (hash)   4 copy of the result (string)
-- ARGV  1 token   2 ID:EVENT   3 lease (ms)
-- Returns 'absent', 'early', 'busy' (another sender has it), 'delivered' or 'given_up' if there is
-- nothing to send; else {the delivery's fields and values, the record's fields and values, the result
-- or '', the time (ms)}. A repeat with the same token has the same reply.
local delivery, due, record, result = unpack(KEYS)
local token, member, lease_ms = unpack(ARGV)
local state, holder, next_at = unpack(redis.call('HMGET', delivery, 'state', 'token', 'next_at'))
local now = now_ms()
if not state then
  return 'absent'
end
if state == 'sending' and holder ~= token then
  return 'busy'
end
if state ~= 'sending' then
  if state ~= 'waiting' then
    return state
  end
  if tonumber(next_at) > now then
    return 'early'
  end
  redis.call('HSET', delivery, 'state', 'sending', 'token', token)
  redis.call('ZADD', due, integer(now + lease_ms), member)
end
return {
  redis.call('HGETALL', delivery),
  redis.call('HGETALL', record),
  redis.call('GET', result) or '',
  integer(now),
}
