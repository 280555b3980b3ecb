-- Reads at one moment the owner of a key and the definitions that it belongs to.
-- KEYS: live. ARGV: what is asked (a digest, or any text for the definitions alone),
-- then the digests of the definitions that the reader has.
-- The answer repeats what was asked, so that it is never taken for another one.
local asked = ARGV[1]
local live = redis.call('HMGET', KEYS[1],
  '@format', '@revision', '@definitions-sha256', asked)
local document = false
if live[3] then
  local known = false
  for i = 2, #ARGV do
    known = known or ARGV[i] == live[3]
  end
  document = not known and redis.call('HGET', KEYS[1], '@definitions')
end
return {asked, live[1], live[2], live[3], live[4], document}
