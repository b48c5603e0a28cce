-- Adds a message to each of several queues, unless they are full.
--
-- KEYS: the queues. ARGV: for each queue, the message, how many messages it may hold, and for
-- how many seconds.
-- Returns how many queues were full.
--
-- The score of a message is the time of this server, and above those of all messages in the
-- queue, so that the order of messages is that of the calls.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local full = 0
for i, queue in ipairs(KEYS) do
  local message, capacity, expiry = ARGV[3 * i - 2], tonumber(ARGV[3 * i - 1]), ARGV[3 * i]
  local score, held = now, redis.call('ZCARD', queue)
  if held > 0 then -- else its reader has read all, which is usual
    held = held - redis.call('ZREMRANGEBYSCORE', queue, '-inf', string.format('%.6f', now - expiry))
    local last = redis.call('ZREVRANGE', queue, 0, 0, 'WITHSCORES')[2]
    if last and tonumber(last) >= now then
      score = last + 0.000001
    end
  end
  if held < capacity then
    redis.call('ZADD', queue, string.format('%.6f', score), message)
    redis.call('EXPIRE', queue, expiry)
  else
    full = full + 1
  end
end
return full
