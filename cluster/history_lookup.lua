-- SPDX-License-Identifier: Apache-2.0
-- What became of a commit whose answer was lost. If it did not happen, it never will.
-- Where nothing can be told (another server has taken over, which may have lost what other nodes
-- have seen; the log does not reach back, or is gone) it is not refused either: the nodes that have
-- it put it back.
-- KEYS: log, refused:ID. ARGV: revision, id, how long to refuse it (ms; 0: another server)
local found = redis.call('XRANGE', KEYS[1], ARGV[1] .. '-0', ARGV[1] .. '-0')
if #found == 1 and found[1][2][2] == ARGV[2] then
    return { 'taken' }
end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
local oldest = #first == 1 and tonumber(string.match(first[1][1], '%d+')) or nil
local revision = tonumber(ARGV[1])
if ARGV[3] == '0' or (#found == 0 and ((oldest and oldest > revision) or
        (not oldest and revision > 1))) then
    return { 'unknown' }
end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
return { 'refused' }
