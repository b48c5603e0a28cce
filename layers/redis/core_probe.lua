-- Renews the lease of a node and adds a probe to its queue.
--
-- KEYS: the leases of all nodes, the queue of the node.
-- ARGV: the name of the node, for how many seconds its lease lasts, the probe, for how many
-- seconds the queue lasts, for how many seconds the leases last if no node renews its own.
-- Returns 1 if the node had a lease.
local time = redis.call('TIME')
local now = tonumber(time[1])
local lease = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[5])
local score = now + time[2] / 1000000
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
if last and tonumber(last) >= score then
  score = last + 0.000001
end
redis.call('ZADD', KEYS[2], string.format('%.6f', score), ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[4])
if lease and tonumber(lease) > now then
  return 1
end
return 0
