-- Returns the members of a group whose memberships have not expired.
--
-- KEYS: the sorted set of the group. ARGV: for how many seconds a membership lasts.
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%d', time[1] - ARGV[1]), '+inf')
