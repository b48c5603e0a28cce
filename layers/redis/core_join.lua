-- Adds a node to groups, or renews its memberships.
--
-- KEYS: the set of the groups of the node, the leases of all nodes, then the sorted set of each
-- group.
-- ARGV: what the entries of the node start with, the name of the node, for how many seconds a
-- membership lasts, then the name of each group.
-- Returns the names of the groups in which the node was not.
--
-- A node that has no lease gets one that has ended: its next probe notices that, and if there is
-- none, others remove the node.
local time = redis.call('TIME')
local now, expiry = time[1] + time[2] / 1000000, tonumber(ARGV[3])
local added = {}
redis.call('ZADD', KEYS[2], 'NX', time[1], ARGV[2])
for i = 3, #KEYS do
  local group = ARGV[i + 1]
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', string.format('%.6f', now - expiry))
  if redis.call('ZADD', KEYS[i], string.format('%.6f', now), ARGV[1] .. group) == 1 then
    added[#added + 1] = group
  end
  redis.call('SADD', KEYS[1], group)
  if redis.call('TTL', KEYS[i]) < expiry then
    redis.call('EXPIRE', KEYS[i], ARGV[3])
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return added
