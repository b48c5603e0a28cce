-- Returns how many fields and how many keys a group has.
--
-- KEYS: present.
return {redis.call('HLEN', KEYS[1]), redis.call('HGET', KEYS[1], '') or '0'}
