-- What every script may call: it is put in front of each of them (jobs/script.py). It keeps what is
-- seen of all jobs together, in the same step as the job itself, so that it tells what has happened,
-- whoever dies meanwhile:
--
--   garimpo:counters (hash)              NAME|SITE|JOB, or NAME|SITE|JOB|MORE: how often, how long
--   garimpo:jobs:STATE, :STATE:SITE, :STATE:SITE.JOB
--                                        (zsets) ids of jobs by when they were accepted (ms)
--   garimpo:outcomes:HOUR (hash)         the same for what has ended in an hour since the epoch
--   garimpo:changes (channel)            which job has changed
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

-- Tells whoever listens that a job's visible state has changed: "ID REVISION", and " end" at its end.
local function tell(record, id, ending)
  local revision = redis.call('HINCRBY', record, 'revision', 1)
  redis.call('PUBLISH', 'garimpo:changes', id .. ' ' .. string.format('%d', revision) .. (ending or ''))
end

-- Names the lists of a state that a job stands in: all jobs, those of its site, its recipe's job.
local function name_lists(record, state)
  local site, job = unpack(redis.call('HMGET', record, 'site', 'job'))
  local of_site = 'garimpo:jobs:' .. state .. ':' .. (site or '')
  return {'garimpo:jobs:' .. state, of_site, of_site .. '.' .. (job or '')}
end

-- Moves a job from the lists of one state (false: from none) to those of another.
local function list(record, id, from, to)
  for _, listed in ipairs(from and name_lists(record, from) or {}) do
    redis.call('ZREM', listed, id)
  end
  local created = redis.call('HGET', record, 'created_at')
  for _, listed in ipairs(name_lists(record, to)) do
    redis.call('ZADD', listed, created, id)
  end
end

-- Takes the oldest jobs out of the lists of a final state whose records are gone: each end takes out
-- more than it brings in, so that the lists stay as long as results are kept.
local function forget_gone(record, state)
  for _, listed in ipairs(name_lists(record, state)) do
    for _, id in ipairs(redis.call('ZRANGE', listed, 0, 2)) do
      if redis.call('EXISTS', 'garimpo:job:' .. id) == 0 then
        redis.call('ZREM', listed, id)
      end
    end
  end
end

