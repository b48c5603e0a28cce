-- Renews a lease, or starts one, and finds leases that have ended.
--
-- KEYS: leases, what the lease owns.
-- ARGV: lease ('' for none), for how many milliseconds it is to last, "start" if it is a new one.
-- Returns whether the lease has been renewed, and some leases that have ended.
local now, renewed = milliseconds(), 0
if ARGV[1] ~= '' then
  local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if ARGV[3] == 'start' or ends and tonumber(ends) > now then
    redis.call('ZADD', KEYS[1], string.format('%d', now + ARGV[2]), ARGV[1])
    redis.call('PEXPIRE', KEYS[1], keptFor)
    if ARGV[3] == 'start' then
      redis.call('SADD', KEYS[2], '') -- nothing, so that what is added later expires as well
    end
    redis.call('PEXPIRE', KEYS[2], keptFor)
    renewed = 1
  end
end
return {renewed, redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%d', now), 'LIMIT', 0, 20)}
