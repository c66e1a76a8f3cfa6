-- Lists the sessions of a site's accounts, without their values.
--
-- KEYS  1 index of the site's accounts (zset: name)
-- ARGV  1 what the keys of their sessions (hash) begin with
-- Returns {now (ms), {account, state, source, created_at, used_at}, …} by name. The state is 'stored',
-- 'logging_in' while a job with its lease has the turn to log in, 'awaited' while jobs wait for a session
-- to be imported, or 'none'. The rest is '' without a
-- session: the source, 'login' or 'import', and two times (ms). Accounts without a key are removed.
local index = KEYS[1]
local prefix = ARGV[1]
local accounts = redis.call('ZRANGE', index, 0, -1)
table.sort(accounts)
local listed = {integer(now_ms())}
for _, account in ipairs(accounts) do
  local session = prefix .. account
  if redis.call('EXISTS', session) == 0 then
    redis.call('ZREM', index, account)
  else
    local source, created, used, turn_job, turn_token, awaited_until = unpack(redis.call('HMGET',
      session, 'source', 'created_at', 'used_at', 'turn_job', 'turn_token', 'awaited_until'))
    local state = source and 'stored' or 'none'
    if turn_token and holds_lease(JOB .. turn_job, turn_token) then
      state = 'logging_in'
    elseif awaited_until and tonumber(awaited_until) > now_ms() then
      state = 'awaited'
    end
    table.insert(listed, {account, state, source or '', created or '', used or ''})
  end
end
return listed
