-- Enters a presence.
--
-- KEYS: present, keys, leases, what the lease owns.
-- ARGV: channel, group, ID, the record; "again" if a presence of another node stays; and if
-- messages are encrypted, those that the key has entered and has changed.
-- Returns "entered"; "lease" if the lease has ended; "other" if it belongs to another node; or
-- "since" and the time since when it is there, which the record must have.
local channel, group, id, new = ARGV[1], ARGV[2], ARGV[3], parse(ARGV[4])
local ends = redis.call('ZSCORE', KEYS[3], new.lease)
if not ends or tonumber(ends) <= milliseconds() then
  return {'lease'}
end
local names = namesOf(KEYS[1])
local left, raw = redis.call('PTTL', names.present), redis.call('HGET', names.present, id)
local old, one = raw and parse(raw), redis.call('HGET', names.keys, new.key)

-- Redis may have evicted one of the keys of the group. Then the others are removed: nodes enter all
-- again now and then.
local whole = true
if left == -2 then
  whole = redis.call('DEL', names.keys, names.several, names.lingering) == 0
elseif old and old.key == new.key then
  whole = one == id or one == '' and redis.call('ZSCORE', names.several, prefixOf(new.key) .. id)
elseif one == '' then
  whole = #membersOf(names.several, new.key, 1) > 0
end
if not whole then
  redis.call('DEL', names.present, names.keys, names.several, names.lingering)
  left, old, one = -2, false, false
end

local owned = group .. '\n' .. id
if old then
  local node = string.match(new.lease, '^[^:]*:')
  if ARGV[5] == 'again' and string.sub(old.lease, 1, #node) ~= node then
    return {'other'}
  elseif old.key == new.key and old.since ~= new.since then
    return {'since', old.since}
  elseif old.lease ~= new.lease then
    redis.call('SREM', string.sub(KEYS[4], 1, -1 - #new.lease) .. old.lease, owned)
  end
end

if old and old.key == new.key then
  if old.linger ~= '' then
    redis.call('ZREM', names.lingering, prefixOf(old.key) .. id)
  end
  if old.meta ~= new.meta then
    redis.call('PUBLISH', channel, ARGV[7] or message('presence.change', group, new))
  end
else
  if old then
    remove(names, id, old, channel, group)
    left = 0 -- it may have been the only one: then the keys are new
  end
  link(names, id, new.key, one)
  if not one then
    redis.call('PUBLISH', channel, ARGV[6] or message('presence.join', group, new))
  else
    local last -- of those that linger
    for _, member in ipairs(membersOf(names.lingering, new.key)) do
      local other = string.sub(member, #prefixOf(new.key) + 1)
      local lingering = redis.call('HGET', names.present, other)
      if lingering then
        local r = parse(lingering)
        if not last or later(r, last) then
          last = r
        end
        unlink(names, other, r)
        left = 0
        redis.call('SREM', string.sub(KEYS[4], 1, -1 - #new.lease) .. r.lease, group .. '\n' .. other)
      end
    end
    if last and last.meta ~= new.meta then
      redis.call('PUBLISH', channel, ARGV[7] or message('presence.change', group, new))
    end
  end
end
redis.call('HSET', names.present, id, ARGV[4])
redis.call('SADD', KEYS[4], owned)
if left < keptFor / 2 then
  for _, name in pairs(names) do
    redis.call('PEXPIRE', name, keptFor)
  end
end
return {'entered'}
