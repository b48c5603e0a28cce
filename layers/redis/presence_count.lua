-- Returns how many presences and how many keys a group has.
--
-- KEYS: present, keys.
return {redis.call('HLEN', KEYS[1]), redis.call('HLEN', KEYS[2])}
