-- Removes some of the presences of a lease that has ended.
--
-- KEYS: leases, what the lease owns.
-- ARGV: prefix, what the channels of groups start with, lease, how many, "force" if the lease need
-- not have ended.
-- Returns how many are left.
local ends = redis.call('ZSCORE', KEYS[1], ARGV[3])
if ARGV[5] ~= 'force' and ends and tonumber(ends) > milliseconds() then
  return 0
end
for _, member in ipairs(redis.call('SPOP', KEYS[2], ARGV[4])) do
  local group, id = string.match(member, '^([^\n]*)\n(.*)$')
  if group then
    local names = namesOf(ARGV[1] .. ':wye:{' .. group .. '}:present')
    local raw = redis.call('HGET', names.present, id)
    local r = raw and parse(raw)
    if r and r.lease == ARGV[3] then
      remove(names, id, r, ARGV[2] .. group, group)
    end
  end
end
local left = redis.call('SCARD', KEYS[2])
if left == 0 then
  redis.call('ZREM', KEYS[1], ARGV[3])
end
return left
