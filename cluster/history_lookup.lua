-- SPDX-License-Identifier: Apache-2.0
-- What became of a commit whose answer was lost. If it did not happen, it never will.
-- KEYS: log, refused:ID. ARGV: revision, id, how long to refuse it (ms)
local found = redis.call('XRANGE', KEYS[1], ARGV[1] .. '-0', ARGV[1] .. '-0')
if #found == 1 and found[1][2][2] == ARGV[2] then
    return { 'taken' }
end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
if #found == 0 and #first == 1 and tonumber(string.match(first[1][1], '%d+')) > tonumber(ARGV[1]) then
    return { 'unknown' }
end
return { 'refused' }
