-- Appends an event to the history of a group, and publishes it with its position.
--
-- KEYS: the hash about the history, the list of its events.
-- ARGV: channel, what precedes the position and what follows it in the message, the epoch of
-- a new history, how many events are kept, for how many milliseconds, for how many more the
-- hash is kept, "masked" if the position is to be masked.
-- Returns the epoch and the offset.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local run = string.sub(string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'), 1, 16)
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'last', 'time', 'run')
local epoch, last = meta[1], tonumber(meta[2])
if not epoch or meta[4] ~= run then
  -- Another process of Redis may not have the last events of this one.
  redis.call('DEL', KEYS[2])
  epoch, last = ARGV[4], 0
else
  now = math.max(now, tonumber(meta[3]))
end
last = last + 1
local offset = string.format('%016d', last)
local age = tonumber(ARGV[6])
redis.call('HSET', KEYS[1], 'epoch', epoch, 'last', string.format('%d', last),
  'time', string.format('%d', now), 'age', ARGV[6], 'run', run)
redis.call('PEXPIRE', KEYS[1], string.format('%d', age + ARGV[7]))
redis.call('RPUSH', KEYS[2], string.format('%013d', now) .. ARGV[2] .. ARGV[3])
redis.call('LTRIM', KEYS[2], '-' .. ARGV[5], '-1')
redis.call('PEXPIRE', KEYS[2], ARGV[6])
while now - tonumber(string.sub(redis.call('LINDEX', KEYS[2], 0), 1, 13)) >= age do
  redis.call('LPOP', KEYS[2])
end
local position = epoch .. offset
if ARGV[8] == 'masked' then
  position = string.gsub(position, '.', function(c) return string.char(string.byte(c) + 128) end)
end
redis.call('PUBLISH', ARGV[1], ARGV[2] .. position .. ARGV[3])
return {epoch, offset}
