-- What the scripts of presence have in common. The presences of a group are
--   present: a hash of records by ID.
--   keys: a hash that has, for each key (user) that is present, its ID, or '' if there are several.
--   several: a sorted set, by text, of the length of such a key, the key, and an ID.
--   lingering: likewise, those of keys that have exited and stay for a while.
-- Each record belongs to a lease, which is in a sorted set with the time of its end. What
-- belongs to a lease is in a set.
local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A record: the format of the message, since when it is there (12 bytes), what identifies the
-- metadata (8), the lengths of the lease, of the linger, and of the key (2 bytes); the lease, until
-- when it lingers, the key, and what follows the group in the messages about it.
local function parse(raw)
  local leaseLength, lingerLength, high, low = string.byte(raw, 22, 25)
  local linger = 26 + leaseLength
  local key = linger + lingerLength
  local rest = key + 256 * high + low
  return {
    format = string.sub(raw, 1, 1), since = string.sub(raw, 2, 13), meta = string.sub(raw, 14, 21),
    lease = string.sub(raw, 26, linger - 1), linger = string.sub(raw, linger, key - 1),
    key = string.sub(raw, key, rest - 1), rest = string.sub(raw, rest),
  }
end

-- The record raw with another linger.
local function withLinger(raw, r, linger)
  return string.sub(raw, 1, 22) .. string.char(#linger) .. string.sub(raw, 24, 25) ..
    r.lease .. linger .. r.key .. r.rest
end

-- Reports whether a record is there since later than another.
local function later(r, other)
  for i = 1, 12 do
    local a, b = string.byte(r.since, i), string.byte(other.since, i)
    if a ~= b then
      return a > b
    end
  end
  return false
end

-- The names of the keys of a group, of which present is one.
local function namesOf(present)
  local start = string.sub(present, 1, -8)
  return {present = present, keys = start .. 'keys', several = start .. 'several', lingering = start .. 'lingering'}
end

local function prefixOf(key)
  return string.format('%03d', #key) .. key
end

-- The members of a sorted set by text that are of a key, some at most if that is given.
local function membersOf(set, key, most)
  local prefix = prefixOf(key)
  local first, last = '[' .. prefix, '(' .. prefix .. string.rep('\255', 100)
  if most then
    return redis.call('ZRANGEBYLEX', set, first, last, 'LIMIT', 0, most)
  end
  return redis.call('ZRANGEBYLEX', set, first, last)
end

-- Adds an ID to those of a key that is present, whose entry in keys is one.
local function link(names, id, key, one)
  if one == id then
    return
  end
  local prefix = prefixOf(key)
  if one ~= '' then
    redis.call('ZADD', names.several, 0, prefix .. one)
    redis.call('HSET', names.keys, key, '')
  end
  redis.call('ZADD', names.several, 0, prefix .. id)
  redis.call('PEXPIRE', names.several, keptFor)
end

-- Removes the record r of an ID. Returns whether it was the last one of its key.
local function unlink(names, id, r)
  redis.call('HDEL', names.present, id)
  local prefix = prefixOf(r.key)
  if r.linger ~= '' then
    redis.call('ZREM', names.lingering, prefix .. id)
  end
  local one = redis.call('HGET', names.keys, r.key)
  if one == '' then
    redis.call('ZREM', names.several, prefix .. id)
    local left = membersOf(names.several, r.key, 2)
    if #left > 1 then
      return false
    elseif #left == 1 then
      redis.call('ZREM', names.several, left[1])
      redis.call('HSET', names.keys, r.key, string.sub(left[1], #prefix + 1))
      return false
    end
  elseif one and one ~= id then
    return false
  end
  redis.call('HDEL', names.keys, r.key)
  return true
end

-- Removes the record r of an ID, and publishes that its key has exited if it was the last one.
local function remove(names, id, r, channel, group)
  if unlink(names, id, r) then
    redis.call('PUBLISH', channel, message('presence.leave', group, r.format, r.rest))
  end
end
