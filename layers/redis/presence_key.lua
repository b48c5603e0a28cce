-- Returns the records of a key.
--
-- KEYS: present, keys.
-- ARGV: key.
local one = redis.call('HGET', KEYS[2], ARGV[1])
if not one then
  return {}
elseif one ~= '' then
  return {redis.call('HGET', KEYS[1], one)}
end
local records = {}
for i, member in ipairs(membersOf(namesOf(KEYS[1]).several, ARGV[1])) do
  records[i] = redis.call('HGET', KEYS[1], string.sub(member, #prefixOf(ARGV[1]) + 1))
end
return records
