-- Writes fields of a staged catalog, which expires some seconds after its last write.
-- KEYS: staged. ARGV: seconds, then fields and values.
for at = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 'done'
