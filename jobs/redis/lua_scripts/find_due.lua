-- Finds the members of a sorted set that are due, and removes those of another form: the first ones
-- would be looked at again and again, before all others.
--
-- KEYS  1 members by the time at which they are due (zset: ms)
-- ARGV  1 now (ms)   2 the maximum number of members   3... Lua patterns of a whole member
-- Returns {the members that are due, the beginnings of those that were removed}.
local key = KEYS[1]
local now, count = ARGV[1], ARGV[2]

local function is_ours(member)
  for i = 3, #ARGV do
    if member:find('^' .. ARGV[i] .. '$') then
      return true
    end
  end
  return false
end

local due, foreign = {}, {}
for _, member in ipairs(redis.call('ZRANGE', key, '-inf', now, 'BYSCORE', 'LIMIT', 0, count)) do
  if is_ours(member) then
    table.insert(due, member)
  else
    redis.call('ZREM', key, member)
    table.insert(foreign, member:sub(1, 2000))
  end
end
return {due, foreign}
