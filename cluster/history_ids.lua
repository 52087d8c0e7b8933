-- SPDX-License-Identifier: Apache-2.0
-- Revisions and ids of entries, without what they changed.
-- KEYS: log. ARGV: from, how many
local answer = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])) do
    answer[#answer + 1] = string.match(entry[1], '%d+')
    answer[#answer + 1] = entry[2][2]
end
return answer
