-- SPDX-License-Identifier: Apache-2.0
-- An entry of the log that goes with an uploaded state; nobody reads it yet.
-- KEYS: staged log, lock. ARGV: not-after, token, lifetime (ms), revision, id, prev, time, author,
--       summary, items
local time = redis.call('TIME')
if time[1] * 1000000 + time[2] > tonumber(ARGV[1]) then
    return { 'late' }
end
if redis.call('HGET', KEYS[2], 'token') ~= ARGV[2] then
    return { 'lost' }
end
redis.call('XADD', KEYS[1], ARGV[4] .. '-0', 'id', ARGV[5], 'prev', ARGV[6], 'time', ARGV[7],
    'author', ARGV[8], 'summary', ARGV[9], 'parts', '0', 'items', ARGV[10])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { 'staged' }
