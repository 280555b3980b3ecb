-- Puts a subscription in the place of the one with its id.
-- KEYS: live. ARGV: channel, format, digest of the definitions that it was
-- checked against, id, then a digest and its entry for each key.
local live = redis.call('HMGET', KEYS[1], '@format', '@definitions-sha256')
if live[1] ~= ARGV[2] then
  return {'none'}
end
if live[2] ~= ARGV[3] then
  return {'changed'}
end
local id, own = ARGV[4], '#' .. ARGV[4]
local touched, mine, now = {}, {}, {}
for digest in string.gmatch(redis.call('HGET', KEYS[1], own) or '', '%x+') do
  mine[digest] = true
  touched[#touched + 1] = digest
end
for at = 5, #ARGV, 2 do
  local digest = ARGV[at]
  now[#now + 1] = digest
  if not mine[digest] then
    local other = redis.call('HGET', KEYS[1], digest)
    if other then
      return {'taken', other}
    end
    touched[#touched + 1] = digest
  end
end
for digest in pairs(mine) do
  redis.call('HDEL', KEYS[1], digest)
end
for at = 5, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.call('HSET', KEYS[1], own, table.concat(now, ','))
local revision = redis.call('HINCRBY', KEYS[1], '@revision', 1)
redis.call('PUBLISH', ARGV[1], 'subscription ' .. table.concat(touched, ',') .. ' ' .. id)
return {'done', string.format('%.0f', revision)}
