-- Has a presence of this node exit, now or later.
--
-- KEYS: present, keys.
-- ARGV: prefix, channel, group, ID, what leases of this node start with, for how many milliseconds
-- it lingers; "over" if it exits only if it has lingered for its time.
-- Returns for how many more milliseconds it lingers.
local id, linger = ARGV[4], tonumber(ARGV[6])
local raw = redis.call('HGET', KEYS[1], id)
local old = raw and parse(raw)
if not old or string.sub(old.lease, 1, #ARGV[5]) ~= ARGV[5] then
  return 0
end
if ARGV[7] == 'over' then
  if old.linger == '' then
    return 0 -- it has entered again
  end
  local left = tonumber(old.linger) - milliseconds()
  if left > 0 then
    return left
  end
end
local names = namesOf(KEYS[1])
if linger > 0 then
  redis.call('HSET', names.present, id, withLinger(raw, old, string.format('%d', milliseconds() + linger)))
  redis.call('ZADD', names.lingering, 0, prefixOf(old.key) .. id)
  local left = redis.call('PTTL', names.present)
  if left > 0 then
    redis.call('PEXPIRE', names.lingering, left)
  end
  return linger
end
remove(names, id, old, ARGV[2], ARGV[3])
redis.call('SREM', ARGV[1] .. ':wye:owned:' .. old.lease, ARGV[3] .. '\n' .. id)
return 0
