-- Appends an event to the history of a group, and publishes it with its position.
--
-- KEYS: the state of the history, the list of its events.
-- ARGV: channel, what precedes the position and what follows it in the message, the epoch of
-- a new history, how many events are kept, for how many milliseconds, for how many more the
-- state is kept, "masked" if the position is to be masked.
-- Returns the epoch and the offset.
--
-- The state is the process of Redis (16 bytes), the epoch (12), the last offset (16), the time of
-- the last event (13), how many events are kept (5), and for how many milliseconds.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Nothing else that a script can read identifies the process in every version.
local info = redis.call('INFO', 'server')
local found = string.find(info, 'run_id:', 1, true)
local run = string.sub(info, found + 7, found + 22)
local state = redis.call('GET', KEYS[1])
local epoch, last = ARGV[4], 0
if not state or string.sub(state, 1, 16) ~= run then
  -- Another process of Redis may not have the last events of this one.
  redis.call('DEL', KEYS[2])
else
  epoch, last = string.sub(state, 17, 28), tonumber(string.sub(state, 29, 44))
  now = math.max(now, tonumber(string.sub(state, 45, 57)))
end
last = last + 1
local offset, at = string.format('%016d', last), string.format('%013d', now)
local most, age = tonumber(ARGV[5]), tonumber(ARGV[6])
redis.call('SET', KEYS[1], run .. epoch .. offset .. at .. string.format('%05d', most) .. ARGV[6],
  'PX', string.format('%d', age + ARGV[7]))
local length = redis.call('RPUSH', KEYS[2], at .. ARGV[2] .. ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
-- Readers leave out what is too much or too old, so that it need not be removed each time.
if length > most + math.floor(most / 16) then
  redis.call('LTRIM', KEYS[2], -most, -1)
end
if last % 16 == 0 then
  while now - tonumber(string.sub(redis.call('LINDEX', KEYS[2], 0), 1, 13)) >= age do
    redis.call('LPOP', KEYS[2])
  end
end
local position = epoch .. offset
if ARGV[8] == 'masked' then
  position = string.gsub(position, '.', function(c) return string.char(string.byte(c) + 128) end)
end
redis.call('PUBLISH', ARGV[1], ARGV[2] .. position .. ARGV[3])
return {epoch, offset}
