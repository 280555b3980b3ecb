-- Puts other APIs and products in the place of those that are there.
-- KEYS: live. ARGV: channel, format, document, its digest.
if redis.call('HGET', KEYS[1], '@format') ~= ARGV[2] then
  return {'none'}
end
redis.call('HSET', KEYS[1], '@definitions', ARGV[3], '@definitions-sha256', ARGV[4])
local revision = redis.call('HINCRBY', KEYS[1], '@revision', 1)
redis.call('PUBLISH', ARGV[1], 'definitions')
return {'done', string.format('%.0f', revision)}
