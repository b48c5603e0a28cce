-- Has a presence of this node exit, now or later.
--
-- KEYS: present, keys, lingering.
-- ARGV: prefix, channel, group, ID, what leases of this node start with, for how many milliseconds
-- it lingers; "over" if it exits only if it has lingered for its time.
-- Returns for how many more milliseconds it lingers.
local names = {present = KEYS[1], keys = KEYS[2], lingering = KEYS[3]}
local id, linger = ARGV[4], tonumber(ARGV[6])
local raw = redis.call('HGET', names.present, id)
local old = raw and parse(raw)
if not old or string.sub(old.lease, 1, #ARGV[5]) ~= ARGV[5] then
  return 0
end
local now = milliseconds()
if ARGV[7] == 'over' then
  if old.linger == '' then
    return 0 -- it has entered again
  elseif tonumber(old.linger) > now then
    return tonumber(old.linger) - now
  end
end
if linger > 0 then
  old.linger = string.format('%d', now + linger)
  redis.call('HSET', names.present, id, format(old))
  redis.call('ZADD', names.lingering, 0, prefixOf(old.key) .. id)
  local left = redis.call('PTTL', names.present)
  if left > 0 then
    redis.call('PEXPIRE', names.lingering, left)
  end
  return linger
end
remove(names, id, old, ARGV[2])
redis.call('SREM', ownedBy(ARGV[1], old.lease), ARGV[3] .. '\n' .. id)
return 0
