-- Reads all that Redis has: for tests that nothing has changed.
--
-- Returns a list of {name, type, value}; a hash's fields and values follow each other in no order.
local read = {
  hash = {'HGETALL'},
  list = {'LRANGE', 0, -1},
  zset = {'ZRANGE', 0, -1, 'WITHSCORES'},
  set = {'SMEMBERS'},
  string = {'GET'},
}
local all = {}
for _, name in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', name).ok
  local command = read[kind]
  table.insert(all, {name, kind, redis.call(command[1], name, unpack(command, 2))})
end
return all
