-- Finds the unfinished jobs that have to be checked now, in a time that does not depend on the
-- length of the queue.
--
-- Running jobs come first: no lease waits behind a long queue. Of the waiting jobs, those that were
-- accepted first are looked at: a worker that dies loses the message that it has just taken, which is
-- that of one of them. Messages in the middle of the queue are looked at when it is almost their turn;
-- besides, a few of all jobs are, to find what no index lists.
--
-- KEYS  1 active (zset: ms)   2, 3 the running and the waiting jobs by the time of acceptance (zsets)
-- ARGV  1 lease (ms)   2 the longest interval between two checks (ms)   3 the maximum number of running
--       jobs   4 of waiting jobs   5 of any jobs   6 Lua pattern of a job id
-- Returns {the ids of jobs to check, the beginnings of members that are no job ids and were removed}.
local active, running, waiting = unpack(KEYS)
local lease_ms, max_check_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local max_running, max_waiting, max_any = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local id_pattern = '^' .. ARGV[6] .. '$'
local now = now_ms()
local due, foreign, is_listed = {}, {}, {}

-- A time further ahead than it can be was set before Redis' clock went back.
local function is_due(id)
  local at = tonumber(redis.call('ZSCORE', active, id))
  if not at then
    return false
  end
  local is_too_far = at > now + lease_ms
    and (at > now + max_check_ms or redis.pcall('HGET', JOB .. id, 'token'))
  return at <= now or is_too_far
end

local function list(id)
  if not is_listed[id] then
    is_listed[id] = true
    table.insert(due, id)
  end
end

for _, id in ipairs(redis.call('ZRANGE', running, 0, -1)) do
  if #due < max_running and is_due(id) then
    list(id)
  end
end
for _, id in ipairs(redis.call('ZRANGE', waiting, 0, max_waiting - 1)) do
  if is_due(id) then
    list(id)
  end
end
local ahead = '(' .. integer(now + max_check_ms)
for _, range in ipairs({{'-inf', integer(now)}, {ahead, '+inf'}}) do
  local members =
    redis.call('ZRANGE', active, range[1], range[2], 'BYSCORE', 'LIMIT', 0, max_any)
  for _, id in ipairs(members) do
    if id:find(id_pattern) then
      list(id)
    else
      redis.call('ZREM', active, id)
      table.insert(foreign, id:sub(1, 2000))
    end
  end
end
return {due, foreign}
