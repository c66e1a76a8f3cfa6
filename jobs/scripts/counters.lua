-- What every script may call: it is put in front of each of them (jobs/script.py).
--
-- Counters are fields of one hash, `garimpo:counters`: NAME|SITE|JOB, or NAME|SITE|JOB|MORE. They
-- change in the same step as the job, so that they tell what has happened, whoever dies meanwhile.
local function name_counter(record, name, more)
  local site, job = unpack(redis.call('HMGET', record, 'site', 'job'))
  return table.concat({name, site or '', job or '', more}, '|')
end

-- Counts for a job, whose record is given. `more` tells apart what is counted under one name.
local function count(counters, record, name, by, more)
  redis.call('HINCRBY', counters, name_counter(record, name, more), by)
end

-- Counts a time (ms) in a histogram: NAME|SITE|JOB|BOUND for the first bound (s) that it does not
-- pass, and its sum (ms).
local function observe(counters, record, name, ms)
  local bucket = '+Inf'
  for _, bound in ipairs({1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}) do
    if ms <= bound * 1000 then
      bucket = tostring(bound)
      break
    end
  end
  count(counters, record, name, 1, bucket)
  count(counters, record, name .. '_sum_ms', ms)
end

