-- SPDX-License-Identifier: Apache-2.0
-- Puts an uploaded state in its place: if there is still no head, or it is still the one for which
-- the state was made. Revocations are not replaced: what any node knows of is added to them.
-- KEYS: head, log, resources, consumers, keys, revoked, lock,
--       then as staged: log, resources, consumers, keys; ids
-- ARGV: not-after, token, cluster, revision, id, tag of the configuration, "head" if there is one
local IDS = 65536 -- history_ids.lua
local time = redis.call('TIME')
if time[1] * 1000000 + time[2] > tonumber(ARGV[1]) then
    return { 'late' }
end
if redis.call('HGET', KEYS[7], 'token') ~= ARGV[2] then
    return { 'lost' }
end
local head = redis.call('HMGET', KEYS[1], 'revision', 'id', 'cluster')
local has_head = ARGV[7] == 'head'
-- One that no node wrote is none.
local is_there = tonumber(head[1]) and head[2] and #head[2] == 16 and head[3] and #head[3] == 16
if has_head ~= (is_there and true or false) or
    (has_head and (head[1] ~= ARGV[4] or head[2] ~= ARGV[5])) then
    redis.call('UNLINK', KEYS[7])
    return { 'moved' }
end
for i = has_head and 3 or 2, 5 do
    redis.call('UNLINK', KEYS[i])
    if redis.call('EXISTS', KEYS[i + 6]) == 1 then
        redis.call('RENAME', KEYS[i + 6], KEYS[i])
        redis.call('PERSIST', KEYS[i])
    end
end
if not has_head then
    redis.call('UNLINK', KEYS[12])
    redis.call('SETRANGE', KEYS[12], ARGV[4] % IDS * 16, ARGV[5])
end
local count = 0
for i = 3, 6 do
    count = count + redis.call('HLEN', KEYS[i])
end
redis.call('HSET', KEYS[1], 'revision', ARGV[4], 'id', ARGV[5], 'cluster', ARGV[3],
    'folded', ARGV[4], 'folded_id', ARGV[5], 'part', '0', 'at', '1', 'config', ARGV[6], 'hole', '',
    'count', string.format('%d', count))
redis.call('UNLINK', KEYS[7])
return { 'placed' }
