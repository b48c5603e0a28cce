-- Enters a presence.
--
-- KEYS: present, keys, leases, what the lease owns.
-- ARGV: channel, group, ID, the record; "again" if a presence of another node stays; and if
-- messages are encrypted, those that the key has entered and has changed.
-- Returns "entered"; "lease" if the lease has ended; "other" if it belongs to another node; or
-- "since" and the time since when it is there, which the record must have.
--
-- This is the usual case: neither the ID nor the key is there. The functions of the other scripts are
-- not needed, nor made. presence_enter_again.lua follows.
local channel, group, id, record = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local leaseLength, _, high, low = string.byte(record, 22, 25)
local ends, time = redis.call('ZSCORE', KEYS[3], string.sub(record, 26, 25 + leaseLength)), redis.call('TIME')
if not ends or tonumber(ends) <= time[1] * 1000 + math.floor(time[2] / 1000) then
  return {'lease'}
end
local owned, left, added = group .. '\n' .. id, redis.call('PTTL', KEYS[1]), false
if left >= keptFor / 2 then
  added = redis.call('HSETNX', KEYS[1], id, record) == 1
end
if added then
  local rest = 26 + leaseLength + 256 * high + low
  if redis.call('HSETNX', KEYS[2], string.sub(record, 26 + leaseLength, rest - 1), id) == 1 then
    redis.call('PUBLISH', channel, ARGV[6] or message('presence.join', group, string.sub(record, 1, 1), string.sub(record, rest)))
    redis.call('SADD', KEYS[4], owned)
    return {'entered'}
  end
end

