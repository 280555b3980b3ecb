-- Puts a staged catalog in the place of the live one.
-- KEYS: live, staged, replaced. ARGV: channel, number of fields staged.
-- Counted, because a staged catalog whose time ran out between two writes would
-- be half of one.
if redis.call('HLEN', KEYS[2]) ~= tonumber(ARGV[2]) then
  return {'lost'}
end
-- What stands there now may be anything: it goes away.
local revision = redis.pcall('HGET', KEYS[1], '@revision')
revision = (type(revision) == 'string' and tonumber(revision) or 0) + 1
revision = string.format('%.0f', revision)
redis.call('HSET', KEYS[2], '@revision', revision)
redis.call('PERSIST', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('RENAME', KEYS[1], KEYS[3])
end
redis.call('RENAME', KEYS[2], KEYS[1])
-- A rename over a large hash would free it while everybody waits.
redis.call('UNLINK', KEYS[3])
redis.call('PUBLISH', ARGV[1], 'all')
return {'done', revision}
