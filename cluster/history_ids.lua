-- SPDX-License-Identifier: Apache-2.0
-- The first revision that is in the log (0: none), then revisions and ids of entries, as far as they
-- are known: those of the newest 65536 are, whatever has been trimmed (history_commit.lua).
-- KEYS: head, log, ids. ARGV: from, how many
local IDS = 65536
local from, last = tonumber(ARGV[1]), ARGV[1] + ARGV[2] - 1
local revision = tonumber(redis.call('HGET', KEYS[1], 'revision')) or 0
local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
local answer = { first[1] and string.match(first[1][1], '%d+') or '0' }
local listed = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], string.format('%d-0', from),
    string.format('%d-0', last))) do
    listed[tonumber(string.match(entry[1], '%d+'))] = entry[2][2]
end
for r = from, math.min(last, revision) do
    local id = listed[r]
    if not id and r > revision - IDS then
        id = redis.call('GETRANGE', KEYS[3], r % IDS * 16, r % IDS * 16 + 15)
    end
    if id and #id == 16 and id ~= string.rep('\0', 16) then
        answer[#answer + 1] = string.format('%d', r)
        answer[#answer + 1] = id
    end
end
return answer
