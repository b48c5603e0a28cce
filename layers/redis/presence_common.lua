-- What the scripts of presence have in common. The presences of a group are
--   present: a hash of records by ID. The field '' has the number of keys (users).
--   keys: a sorted set, by text, of the length of a key, the key, and an ID.
--   lingering: those of keys that have exited and stay for a while.
-- Each record belongs to a lease, which is in a sorted set with the time of its end. What
-- belongs to a lease is in a set.
local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A record: lease, until when it lingers, what identifies the metadata, since when it is there,
-- the length of the key, the key, and the message that is published when the key has left.
local function parse(raw)
  local lease, linger, meta, since, length, at = string.match(raw, '^([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n(%d+)\n()')
  return {
    lease = lease, linger = linger, meta = meta, since = since,
    key = string.sub(raw, at, at + length - 1), exited = string.sub(raw, at + length),
  }
end

local function format(r)
  return table.concat({r.lease, r.linger, r.meta, r.since, #r.key, r.key .. r.exited}, '\n')
end

-- The names of the keys of a group.
local function namesOf(prefix, group)
  local start = prefix .. ':wye:{' .. group .. '}:'
  return {present = start .. 'present', keys = start .. 'keys', lingering = start .. 'lingering'}
end

local function ownedBy(prefix, lease)
  return prefix .. ':wye:owned:' .. lease
end

local function prefixOf(key)
  return string.format('%03d', #key) .. key
end

-- The members of a sorted set by text that are of a key, all or one at most.
local function membersOf(set, key, one)
  local prefix = prefixOf(key)
  local first, last = '[' .. prefix, '(' .. prefix .. string.rep('\255', 100)
  if one then
    return redis.call('ZRANGEBYLEX', set, first, last, 'LIMIT', 0, 1)
  end
  return redis.call('ZRANGEBYLEX', set, first, last)
end

-- Removes the record r of an ID, but does not count keys.
local function unlink(names, id, r)
  redis.call('HDEL', names.present, id)
  redis.call('ZREM', names.keys, prefixOf(r.key) .. id)
  redis.call('ZREM', names.lingering, prefixOf(r.key) .. id)
end

-- Removes the record r of an ID, and publishes that its key has left if it was the last one.
local function remove(names, id, r, channel)
  unlink(names, id, r)
  if #membersOf(names.keys, r.key, true) > 0 then
    return
  end
  if redis.call('HINCRBY', names.present, '', -1) <= 0 then
    redis.call('DEL', names.present, names.keys, names.lingering)
  end
  redis.call('PUBLISH', channel, r.exited)
end
