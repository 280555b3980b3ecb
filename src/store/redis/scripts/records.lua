-- Reads at one moment the definitions and some subscriptions.
-- KEYS: live. ARGV: nonce, then ids. Answers the nonce, the format, the revision, the
-- digest and the document of the definitions, and for each id its first entry.
local answer = redis.call('HMGET', KEYS[1],
  '@format', '@revision', '@definitions-sha256', '@definitions')
table.insert(answer, 1, ARGV[1])
for i = 2, #ARGV do
  local digests = redis.call('HGET', KEYS[1], '#' .. ARGV[i])
  local first = digests and string.match(digests, '%x+')
  answer[#answer + 1] = first and redis.call('HGET', KEYS[1], first) or false
end
return answer
