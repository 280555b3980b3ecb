-- Removes a subscription and its keys.
-- KEYS: live. ARGV: channel, format, id.
if redis.call('HGET', KEYS[1], '@format') ~= ARGV[2] then
  return {'none'}
end
local own = '#' .. ARGV[3]
local digests = redis.call('HGET', KEYS[1], own)
if not digests then
  return {'absent'}
end
for digest in string.gmatch(digests, '%x+') do
  redis.call('HDEL', KEYS[1], digest)
end
redis.call('HDEL', KEYS[1], own)
local revision = redis.call('HINCRBY', KEYS[1], '@revision', 1)
redis.call('PUBLISH', ARGV[1], 'subscription ' .. digests .. ' ' .. ARGV[3])
return {'done', string.format('%.0f', revision)}
