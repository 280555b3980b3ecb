-- Makes several changes as one revision, if the catalog has the expected revision.
-- KEYS: live. ARGV: nonce, channel, format, expected revision, the document of the
-- definitions and its digest (both empty: unchanged), then for each subscription its
-- id, the number of its keys (0: it is removed), and a digest and an entry for each.
local nonce, channel = ARGV[1], ARGV[2]
local live = redis.call('HMGET', KEYS[1], '@format', '@revision')
if live[1] ~= ARGV[3] then
  return {nonce, 'none'}
end
if live[2] ~= ARGV[4] then
  return {nonce, 'changed'}
end
-- First only reads: a script that writes is not rolled back.
local records, mine = {}, {}
local at = 7
while at <= #ARGV do
  local record = {id = ARGV[at], before = {}, keys = {}}
  for digest in string.gmatch(redis.call('HGET', KEYS[1], '#' .. record.id) or '', '%x+') do
    record.before[#record.before + 1] = digest
    mine[digest] = true
  end
  local keys = tonumber(ARGV[at + 1])
  for i = 1, keys do
    record.keys[i] = {ARGV[at + 2 * i], ARGV[at + 2 * i + 1]}
  end
  records[#records + 1] = record
  at = at + 2 + 2 * keys
end
for _, record in ipairs(records) do
  for _, key in ipairs(record.keys) do
    local other = not mine[key[1]] and redis.call('HGET', KEYS[1], key[1])
    if other then
      return {nonce, 'taken', other}
    end
  end
end
for _, record in ipairs(records) do
  for _, digest in ipairs(record.before) do
    redis.call('HDEL', KEYS[1], digest)
  end
  redis.call('HDEL', KEYS[1], '#' .. record.id)
end
local message = {}
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[1], '@definitions', ARGV[5], '@definitions-sha256', ARGV[6])
  message[1] = 'definitions'
end
for _, record in ipairs(records) do
  local now, touched, seen = {}, record.before, {}
  for _, digest in ipairs(touched) do
    seen[digest] = true
  end
  for i, key in ipairs(record.keys) do
    redis.call('HSET', KEYS[1], key[1], key[2])
    now[i] = key[1]
    if not seen[key[1]] then
      touched[#touched + 1] = key[1]
    end
  end
  if #now > 0 then
    redis.call('HSET', KEYS[1], '#' .. record.id, table.concat(now, ','))
  end
  message[#message + 1] = 'subscription ' .. table.concat(touched, ',') .. ' ' .. record.id
end
-- The time makes revisions grow also after a failover that lost some.
local time = redis.call('TIME')
local revision = math.max(tonumber(live[2]) + 1, time[1] * 1000 + math.floor(time[2] / 1000))
revision = string.format('%.0f', revision)
redis.call('HSET', KEYS[1], '@revision', revision)
local said = redis.pcall('PUBLISH', channel, revision .. '\n' .. table.concat(message, '\n'))
if type(said) == 'table' and said.err then
  return {nonce, 'unpushed', revision, said.err}
end
return {nonce, 'done', revision}
