-- Returns the records of a key.
--
-- KEYS: present, keys.
-- ARGV: key.
local records = {}
for i, member in ipairs(membersOf(KEYS[2], ARGV[1])) do
  records[i] = redis.call('HGET', KEYS[1], string.sub(member, #prefixOf(ARGV[1]) + 1))
end
return records
