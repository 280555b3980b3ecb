-- Replaces the live catalog by a staged one, if it has the expected revision.
-- KEYS: live, staged, replaced. ARGV: nonce, channel, expected revision (empty: none),
-- number of staged fields.
local nonce = ARGV[1]
-- The live key may hold anything: it is replaced.
local before = redis.pcall('HGET', KEYS[1], '@revision')
before = type(before) == 'string' and before or ''
if before ~= ARGV[3] then
  return {nonce, 'changed', before}
end
-- A staged catalog that expired between two writes would be half of one.
if redis.call('HLEN', KEYS[2]) ~= tonumber(ARGV[4]) then
  return {nonce, 'lost'}
end
-- The time makes revisions grow also after a failover that lost some.
local time = redis.call('TIME')
local revision = math.max((tonumber(before) or 0) + 1,
  time[1] * 1000 + math.floor(time[2] / 1000))
revision = string.format('%.0f', revision)
redis.call('HSET', KEYS[2], '@revision', revision)
redis.call('PERSIST', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('RENAME', KEYS[1], KEYS[3])
end
redis.call('RENAME', KEYS[2], KEYS[1])
-- A rename over a large hash would free it while everybody waits.
redis.call('UNLINK', KEYS[3])
local said = redis.pcall('PUBLISH', ARGV[2], revision .. '\nall')
if type(said) == 'table' and said.err then
  return {nonce, 'unpushed', revision, said.err}
end
return {nonce, 'done', revision}
