-- Enters a presence.
--
-- KEYS: present, keys, lingering, leases, what the lease owns.
-- ARGV: prefix, channel, group, ID, key, lease, what identifies the metadata, since; the messages
-- that the key has entered, has changed, and has exited; "again" if a presence of another node
-- stays; what leases of this node start with; for how many milliseconds keys are kept.
-- Returns "entered"; "lease" if the lease has ended; "other" if it belongs to another node; or
-- "since" and the time since when it is there, which the messages must have.
local prefix, channel, group, id, key = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local names = {present = KEYS[1], keys = KEYS[2], lingering = KEYS[3]}
local new = {lease = ARGV[6], linger = '', meta = ARGV[7], since = ARGV[8], key = key, exited = ARGV[11]}
local ends = redis.call('ZSCORE', KEYS[4], new.lease)
if not ends or tonumber(ends) <= milliseconds() then
  return {'lease'}
end
if math.max(redis.call('HLEN', names.present) - 1, 0) ~= redis.call('ZCARD', names.keys) then
  redis.call('DEL', names.present, names.keys, names.lingering) -- Redis has evicted one of them
end

local raw = redis.call('HGET', names.present, id)
local old = raw and parse(raw)
if old then
  local mine = string.sub(old.lease, 1, #ARGV[13]) == ARGV[13]
  if not mine and ARGV[12] == 'again' then
    return {'other'}
  elseif old.key == key and old.since ~= new.since then
    return {'since', old.since}
  elseif old.lease ~= new.lease then
    redis.call('SREM', ownedBy(prefix, old.lease), group .. '\n' .. id)
  end
end

if old and old.key == key then
  redis.call('ZREM', names.lingering, prefixOf(key) .. id)
  if old.meta ~= new.meta then
    redis.call('PUBLISH', channel, ARGV[10])
  end
else
  if old then
    remove(names, id, old, channel)
  end
  local there = #membersOf(names.keys, key, true) > 0
  local last -- of those that linger
  for _, member in ipairs(membersOf(names.lingering, key)) do
    local other = string.sub(member, #prefixOf(key) + 1)
    local lingering = redis.call('HGET', names.present, other)
    if lingering then
      local r = parse(lingering)
      if not last or r.since > last.since then
        last = r
      end
      unlink(names, other, r)
      redis.call('SREM', ownedBy(prefix, r.lease), group .. '\n' .. other)
    end
  end
  redis.call('ZADD', names.keys, 0, prefixOf(key) .. id)
  if not there then
    redis.call('HINCRBY', names.present, '', 1)
    redis.call('PUBLISH', channel, ARGV[9])
  elseif last and last.meta ~= new.meta then
    redis.call('PUBLISH', channel, ARGV[10])
  end
end
redis.call('HSET', names.present, id, format(new))
redis.call('SADD', KEYS[5], group .. '\n' .. id)
for _, name in ipairs({KEYS[1], KEYS[2], KEYS[3], KEYS[5]}) do
  redis.call('PEXPIRE', name, ARGV[14])
end
return {'entered'}
