-- Reads a job at one moment; and if it waits, what its waiting time is estimated from.
--
-- KEYS  1 record (hash)   2 tombstone (string)   3 Celery's result (string)   4 index of the pending
--       jobs (zset)   5 index of the running jobs (zset)   6 workers (zset: name by expiry)
--       7 counters (hash)
-- ARGV  1 job id   2 the counter with the typical duration of a job   3 the size of the largest result
--         that is returned with a completed job (bytes); 0 for none
-- Returns {all but the result (JSON), result}. The JSON is a list: now (ms), error messages, record,
-- tombstone, number of jobs that wait before it, number of running jobs, workers, typical duration.
-- What does not exist, is not needed, or has a value of the wrong type, is false; of the latter there
-- is an error message. (One JSON text takes the client less time than a reply of 40 parts.)
local record, tombstone, result, pending, running, workers, counters = unpack(KEYS)
local id, duration_counter, max_result = unpack(ARGV)
local errors = {}

local function read(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    if not reply.err:find('WRONGTYPE', 1, true) then
      error(reply.err)
    end
    table.insert(errors, reply.err)
    return false
  end
  return reply
end

local fields = read('HGETALL', record)
local state
for i = 1, fields and #fields or 0, 2 do
  if fields[i] == 'state' then
    state = fields[i + 1]
  end
end
local before = state and read('ZRANK', pending, id) or false  -- nil would leave a gap in the list
local stored = false
max_result = tonumber(max_result)
if max_result > 0 and state == 'completed' then
  stored = read('GETRANGE', result, 0, max_result)
  if stored and (stored == '' or #stored > max_result) then
    stored = false
  end
end
return {
  cjson.encode({
    now_ms(),
    errors,
    fields,
    not state and read('GET', tombstone),
    before,
    before and read('ZCARD', running),
    before and read('ZRANGE', workers, 0, -1, 'WITHSCORES'),
    before and read('HGET', counters, duration_counter),
  }),
  stored,
}
