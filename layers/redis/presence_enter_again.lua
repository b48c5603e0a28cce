-- Enters a presence whose ID or key is there, or which is the first one of a group: what follows
-- presence_enter.lua and presence_common.lua.
local names, new = namesOf(KEYS[1]), parse(record)

-- The name of what the lease of a record owns.
local function ownedOf(r)
  return string.sub(KEYS[4], 1, -1 - #new.lease) .. r.lease
end

-- Removes the keys of the group, one of which Redis has evicted: nodes enter all again now and then.
local function removeAll()
  redis.call('DEL', names.present, names.keys, names.several, names.lingering)
  left = -2
end

local old
if left == -2 then
  redis.call('DEL', names.keys, names.several, names.lingering)
end
if not added and redis.call('HSETNX', names.present, id, record) == 0 then
  old = parse(redis.call('HGET', names.present, id))
  if old.key == new.key then
    local one = redis.call('HGET', names.keys, new.key)
    if one ~= id and not (one == '' and redis.call('ZSCORE', names.several, prefixOf(new.key) .. id)) then
      removeAll()
      redis.call('HSET', names.present, id, record)
      old = nil
    end
  end
end

if old then
  local node = string.match(new.lease, '^[^:]*:')
  if ARGV[5] == 'again' and string.sub(old.lease, 1, #node) ~= node then
    return {'other'}
  elseif old.key == new.key and old.since ~= new.since then
    return {'since', old.since}
  elseif old.lease ~= new.lease then
    redis.call('SREM', ownedOf(old), owned)
  end
end

if old and old.key == new.key then
  if old.linger ~= '' then
    redis.call('ZREM', names.lingering, prefixOf(old.key) .. id)
  end
  if old.meta ~= new.meta then
    redis.call('PUBLISH', channel, ARGV[7] or message('presence.change', group, new.format, new.rest))
  end
  redis.call('HSET', names.present, id, record)
else
  if old then
    remove(names, id, old, channel, group)
    redis.call('HSET', names.present, id, record)
    left = 0 -- it may have been the only one: then the keys are new
  end
  local entered = redis.call('HSETNX', names.keys, new.key, id) == 1
  local one = not entered and redis.call('HGET', names.keys, new.key)
  if one == '' and #membersOf(names.several, new.key, 1) == 0 then
    removeAll()
    redis.call('HSET', names.present, id, record)
    redis.call('HSET', names.keys, new.key, id)
    entered = true
  end
  if entered then
    redis.call('PUBLISH', channel, ARGV[6] or message('presence.join', group, new.format, new.rest))
  else
    link(names, id, new.key, one)
    local last -- of those that linger
    for _, member in ipairs(membersOf(names.lingering, new.key)) do
      local other = string.sub(member, #prefixOf(new.key) + 1)
      local raw = other ~= id and redis.call('HGET', names.present, other)
      if raw then
        local r = parse(raw)
        if not last or later(r, last) then
          last = r
        end
        unlink(names, other, r)
        redis.call('SREM', ownedOf(r), group .. '\n' .. other)
      end
    end
    if last and last.meta ~= new.meta then
      redis.call('PUBLISH', channel, ARGV[7] or message('presence.change', group, new.format, new.rest))
    end
  end
end
redis.call('SADD', KEYS[4], owned)
if left < keptFor / 2 then
  for _, name in pairs(names) do
    redis.call('PEXPIRE', name, keptFor)
  end
end
return {'entered'}
