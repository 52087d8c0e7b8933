-- SPDX-License-Identifier: Apache-2.0
-- What a node says of itself, and what all others said; or that one is gone.
--
-- KEYS     the hash of members, head
-- members: the hash of members: NAME -> "MS INCARNATION said…" (MS by this server's clock; of one
--          that is gone: "MS INCARNATION -left" or "-removed")
-- ARGV     "beat" CLUSTER NAME INCARNATION SAID WROTE KEPT
--                             WROTE: "1" if this process wrote before;
--                             KEPT: ms for which gone ones are remembered
--          "gone" CLUSTER NAME INCARNATION "left"|"removed"
--          CLUSTER: whose state the node has; empty: nobody's
-- Answers {"beat", now in ms, "1" if another process wrote our field, NAME, value, NAME, value …}
--      or {"gone", "1" if it is so now}; {"foreign"}: this is another cluster's Redis, so nothing was
--      changed
local key, what, cluster, name, incarnation = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local theirs = redis.call('HGET', KEYS[2], 'cluster')
if theirs and cluster ~= '' and theirs ~= cluster then
    return { 'foreign' }
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local before = redis.call('HGET', key, name)
local ms, who, rest
if before then
    ms, who, rest = string.match(before, '^(%d+) (%S*) (.*)$')
end

if what == 'gone' then
    -- Another process of that name may have come meanwhile: it stays.
    if before and who ~= incarnation and ARGV[5] == 'removed' then
        return { 'gone', '0' }
    end
    if not before or who == incarnation then
        redis.call('HSET', key, name, now .. ' ' .. incarnation .. ' -' .. ARGV[5])
    end
    return { 'gone', '1' }
end

local shared = '0'
if before and who ~= incarnation and ARGV[6] == '1' and string.sub(rest, 1, 1) ~= '-' then
    shared = '1'
end
-- What was sent before a process left may be executed after.
if not (before and who == incarnation and rest == '-left') then
    redis.call('HSET', key, name, now .. ' ' .. incarnation .. ' ' .. ARGV[5])
end
local answer = { 'beat', now, shared }
local all = redis.call('HGETALL', key)
for i = 1, #all, 2 do
    local at, _, said = string.match(all[i + 1], '^(%d+) (%S*) (.*)$')
    if not at or (string.sub(said, 1, 1) == '-' and now - at > tonumber(ARGV[7])) then
        redis.call('HDEL', key, all[i])
    else
        answer[#answer + 1] = all[i]
        answer[#answer + 1] = all[i + 1]
    end
end
return answer
