-- Reads the history of a group.
--
-- KEYS: the state of the history (see history_append.lua), the list of its events.
-- ARGV: the epoch and the offset behind which reading starts, how many events are read at most
-- (0 for all), "newest" if these are the last ones.
-- Returns the epoch, the last offset, "known" if the history has had the position, the offset
-- before the first of the events, and the events; or nothing if there is no history.
local state = redis.call('GET', KEYS[1])
local info = redis.call('INFO', 'server')
local found = string.find(info, 'run_id:', 1, true)
local run = string.sub(info, found + 7, found + 22)
if not state or string.sub(state, 1, 16) ~= run then
  return {}
end
local epoch, last = string.sub(state, 17, 28), tonumber(string.sub(state, 29, 44))
local most, age = tonumber(string.sub(state, 58, 62)), tonumber(string.sub(state, 63))
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = redis.call('LINDEX', KEYS[2], 0)
while oldest and now - tonumber(string.sub(oldest, 1, 13)) >= age do
  redis.call('LPOP', KEYS[2])
  oldest = redis.call('LINDEX', KEYS[2], 0)
end
local before = last - redis.call('LLEN', KEYS[2]) -- the first in the list
local gone = math.max(before, last - most)
local after, limit = tonumber(ARGV[2]), tonumber(ARGV[3])
local known = ARGV[1] == '' or ARGV[1] == epoch and after <= last
if not known then
  after = 0
end
local from, to = math.max(after, gone), last
if limit > 0 and to - from > limit then
  if ARGV[4] == 'newest' then
    from = to - limit
  else
    to = from + limit
  end
end
local events = {}
if from < to then
  events = redis.call('LRANGE', KEYS[2], from - before, to - before - 1)
end
return {epoch, string.format('%d', last), known and 'known' or '', string.format('%d', from), events}
