-- Removes a node from groups and, unless it goes on, all else that there is about it when it is
-- in no group any longer.
--
-- KEYS: the set of the groups of the node, the leases of all nodes, the queue of the node, then
-- the sorted set of each group.
-- ARGV: what the entries of the node start with, the name of the node, "goes-on", "closes" or
-- "is-dead", then the name of each group.
-- Returns 0 if the node should be dead and has a lease: then nothing is removed.
local mode = ARGV[3]
if mode == 'is-dead' then
  local lease = redis.call('ZSCORE', KEYS[2], ARGV[2])
  if lease and tonumber(lease) > tonumber(redis.call('TIME')[1]) then
    return 0
  end
end
for i = 4, #KEYS do
  redis.call('ZREM', KEYS[i], ARGV[1] .. ARGV[i])
  redis.call('SREM', KEYS[1], ARGV[i])
end
if mode ~= 'goes-on' and redis.call('SCARD', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[3])
  redis.call('ZREM', KEYS[2], ARGV[2])
end
return 1
