-- SPDX-License-Identifier: Apache-2.0
-- The next entries of the history: all of them, or none.
-- KEYS: head, log, refused:ID of the first, ids, then the body of each (used where it has parts).
-- ARGV: not-after, cluster, revision and id of the entry before, token for a turn and how long one
--       lasts at most (ms), then of each entry:
--       id, time, author, summary, parts (0: the items are here), items
local IDS = 65536 -- history_ids.lua
local time = redis.call('TIME')
if time[1] * 1000000 + time[2] > tonumber(ARGV[1]) or redis.call('EXISTS', KEYS[3]) == 1 then
    return { 'late' }
end
local head = redis.call('HMGET', KEYS[1], 'revision', 'id', 'cluster', 'turn', 'until')
local revision = tonumber(ARGV[3])
local prev = ARGV[4]
if head[3] and head[3] ~= ARGV[2] then
    return { 'foreign' }
end
if (tonumber(head[1]) or 0) ~= revision or (revision > 0 and head[2] ~= prev) then
    return { 'moved' }
end
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = tonumber(head[5]) or 0
local is_turn = now < ends and ends <= now + tonumber(ARGV[6])
if is_turn and head[4] ~= ARGV[5] then
    return { 'turn' }
end
local count = (#ARGV - 6) / 6
for i = 1, count do
    local parts = tonumber(ARGV[6 * i + 5])
    if parts > 0 and redis.call('HLEN', KEYS[4 + i]) ~= parts then
        return { 'unstaged' }
    end
end
if not head[1] then
    -- What is left of a history whose head was removed.
    redis.call('UNLINK', KEYS[2], KEYS[4])
end
-- Somebody else wrote to the log behind the head: its last number has to be that of the head again.
local function clear_log()
    local extra = redis.call('XRANGE', KEYS[2], string.format('%d-1', revision), '+', 'COUNT', 1000)
    for _, entry in ipairs(extra) do
        redis.call('XDEL', KEYS[2], entry[1])
    end
    if #extra < 1000 then
        redis.call('XSETID', KEYS[2], string.format('%d-0', revision))
    end
end

for i = 1, count do
    local at = 6 * i + 1
    local added = redis.pcall('XADD', KEYS[2], string.format('%d-0', revision + 1),
        'id', ARGV[at], 'prev', prev, 'time', ARGV[at + 1], 'author', ARGV[at + 2],
        'summary', ARGV[at + 3], 'parts', ARGV[at + 4], 'items', ARGV[at + 5])
    if type(added) == 'table' and added.err then
        if i == 1 and string.find(added.err, 'equal or smaller', 1, true) then
            clear_log()
            return { 'turn' }
        end
        return added
    end
    revision = revision + 1
    redis.call('SETRANGE', KEYS[4], revision % IDS * 16, ARGV[at])
    if tonumber(ARGV[at + 4]) > 0 then
        redis.call('PERSIST', KEYS[4 + i])
    end
    prev = ARGV[at]
end
redis.call('HSET', KEYS[1], 'revision', string.format('%d', revision), 'id', prev,
    'cluster', ARGV[2])
if is_turn then
    redis.call('HSET', KEYS[1], 'until', string.format('%d', now))
end
return { 'taken' }
