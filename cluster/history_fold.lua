-- SPDX-License-Identifier: Apache-2.0
-- Brings the state (hashes of resources, consumers, keys and revocations) nearer to the head: a
-- bounded number of items at a time, so that no entry, however big, holds up anybody. Each step is
-- whole and says where the next one begins, so it does not matter which node makes it.
--
-- Mode "log": from the entries. One that no node wrote is passed over, and so is one that is not
-- there, or not all of it, unless a node that has it puts the state in its place within a while.
-- Mode "state": items of a state that a node uploads, into keys that
-- nobody reads yet, while it holds the lock.
-- KEYS: head, log, resources, consumers, keys, revoked (of those that are written), lock
-- ARGV: "log", items, history kept, prefix of bodies, how long they stay, that while (ms)
--       "state", not-after, token, items, lifetime (ms)
local NONE = string.rep('\0', 8)
local PARTS_MOST = 65536
local EXTRA_MOST = 1000

local function u32(s, at)
    local a, b, c, d = s:byte(at, at + 3)
    return a + b * 256 + c * 65536 + d * 16777216
end

local function as_u32(n)
    return string.char(n % 256, math.floor(n / 256) % 256, math.floor(n / 65536) % 256,
        math.floor(n / 16777216))
end

local function as_u64(n)
    return as_u32(n % 4294967296) .. as_u32(math.floor(n / 4294967296))
end

local function item_of(kind, body)
    return string.char(kind) .. as_u32(#body) .. body
end

local function set(key, field, value)
    return redis.call('HSET', key, field, value)
end

-- kind 1, has 1, revision 8, tag 8, name 1+, before 4+, after 4+ (cluster/item.c)
local function is_resource(body)
    if #body < 19 then
        return false
    end
    local at = 20 + body:byte(19)
    for _ = 1, 2 do
        if #body < at + 3 then
            return false
        end
        at = at + 4 + u32(body, at)
    end
    return #body >= at - 1
end

local function fold_resource(body, revision, tag)
    local kind, has = body:byte(1, 2)
    if body:sub(3, 10) ~= NONE then
        revision, tag = body:sub(3, 10), body:sub(11, 18)
    end
    local name = body:sub(20, 19 + body:byte(19))
    local at = 20 + #name
    local after = body:sub(at + 4 + u32(body, at))
    local key, field = KEYS[3], kind .. ':' .. name
    if kind == 3 then
        key, field = KEYS[4], name
    end
    if has % 4 < 2 then
        return -redis.call('HDEL', key, field)
    end
    return set(key, field, item_of(1, string.char(kind, 2) .. revision .. tag ..
        string.char(#name) .. name .. '\0\0\0\0' .. after))
end

-- change 1, revoked 1, id 8, digest 32, ...
local function fold_key(body)
    local digest = body:sub(11, 42)
    local value = item_of(2, '\0' .. body:sub(2))
    local revoked = redis.call('HGET', KEYS[6], digest)
    if body:byte(2) == 0 then
        return revoked and 0 or set(KEYS[5], digest, value)
    end
    local count = -redis.call('HDEL', KEYS[5], digest)
    if not revoked or #revoked < #value then
        count = count + set(KEYS[6], digest, value)
    end
    return count
end

-- One item; how the number of fields changed, and whether it was of the configuration. What is no
-- item changes nothing.
local function fold(kind, body, revision, tag)
    if kind == 1 and is_resource(body) then
        return fold_resource(body, revision, tag), true
    elseif kind == 2 and #body >= 42 then
        return fold_key(body), false
    end
    return 0, false
end

if ARGV[1] == 'state' then
    local time = redis.call('TIME')
    if time[1] * 1000000 + time[2] > tonumber(ARGV[2]) then
        return { 'late' }
    end
    if redis.call('HGET', KEYS[7], 'token') ~= ARGV[3] then
        return { 'lost' }
    end
    local at = 1
    while at + 4 <= #ARGV[4] do
        local length = u32(ARGV[4], at + 1)
        fold(ARGV[4]:byte(at), ARGV[4]:sub(at + 5, at + 4 + length), NONE, NONE)
        at = at + 5 + length
    end
    for i = 3, 5 do
        redis.call('PEXPIRE', KEYS[i], ARGV[5])
    end
    redis.call('PEXPIRE', KEYS[7], ARGV[5])
    return { 'folded' }
end

local head = redis.call('HMGET', KEYS[1], 'revision', 'folded', 'part', 'at', 'count', 'config',
    'folded_id', 'id', 'hole', 'hole_at', 'passed')
local revision, folded = tonumber(head[1]), tonumber(head[2]) or 0
if not revision then
    return { 0, 0, 0, 0, 0, 0 }
end
local part, at, count = tonumber(head[3]) or 0, tonumber(head[4]) or 1, tonumber(head[5]) or 0
local config, folded_id = head[6], head[7]
local hole, hole_at, passed = tonumber(head[9]), tonumber(head[10]), tonumber(head[11]) or 0
local budget = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last_passed = 0

local function hex(id)
    return (id:gsub('.', function(c) return string.format('%02x', c:byte()) end))
end

local function entry_at(id, to)
    local found = redis.call('XRANGE', KEYS[2], id, to, 'COUNT', 1)
    if #found == 0 then
        return nil
    end
    local fields = {}
    for i = 1, #found[1][2], 2 do
        fields[found[1][2][i]] = found[1][2][i + 1]
    end
    return fields, tonumber(string.match(found[1][1], '%d+'))
end

local function is_id(id)
    return id and #id == 16
end

-- It is what a commit writes, and follows what was folded.
local function is_ours(fields)
    local parts = tonumber(fields.parts)
    return is_id(fields.id) and is_id(fields.prev) and parts and parts >= 0 and
        parts <= PARTS_MOST and parts % 1 == 0 and (parts > 0 or fields.items) and
        (not is_id(folded_id) or folded == 0 or fields.prev == folded_id) and
        string.match(fields.time or '', '^%-?%d+$')
end

-- Goes on behind this revision; what comes next says which id it builds on.
local function pass_over(to)
    last_passed = folded + 1
    passed = passed + 1
    folded, part, at, hole, hole_at = to, 0, 1, nil, nil
    folded_id = head[8]
    if folded < revision then
        local id = string.format('%d-0', folded + 1)
        local fields = entry_at(id, id)
        folded_id = fields and fields.prev or ''
    end
end

-- Something was taken out of Redis. A node that has all of it puts it back; when none does within a
-- while, what is there is all there is. False: not yet.
local function pass_hole(to)
    if hole ~= folded + 1 then
        hole, hole_at = folded + 1, now
    end
    if now >= hole_at and now < hole_at + tonumber(ARGV[6]) then
        return false
    end
    pass_over(to)
    return true
end

-- Folds of one part; true: to its end.
local function fold_part(items, entry_revision, id)
    local tag = id:sub(1, 8):reverse()
    local rev8 = as_u64(entry_revision)
    while at + 4 <= #items do
        if budget <= 0 then
            return false
        end
        local length = u32(items, at + 1)
        local change, is_config = fold(items:byte(at), items:sub(at + 5, at + 4 + length), rev8, tag)
        count = count + change
        if is_config then
            config = tag
        end
        at = at + 5 + length
        budget = budget - 1
    end
    return true
end

-- 'whole', 'more', or 'hole'.
local function fold_entry(fields)
    local parts = tonumber(fields.parts)
    if parts == 0 then
        return fold_part(fields.items, folded + 1, fields.id) and 'whole' or 'more'
    end
    local body = ARGV[4] .. hex(fields.id)
    while part < parts do
        local items = redis.call('HGET', body, part)
        if not items then
            return 'hole'
        elseif not fold_part(items, folded + 1, fields.id) then
            return 'more'
        end
        part, at = part + 1, 1
    end
    redis.call('PEXPIRE', body, ARGV[5])
    return 'whole'
end

local is_waiting = false
while folded < revision and budget > 0 and not is_waiting do
    local id = string.format('%d-0', folded + 1)
    local fields = entry_at(id, id)
    local how = 'hole'
    if fields and not is_ours(fields) then
        pass_over(folded + 1)
        how = 'passed'
    elseif fields then
        how = fold_entry(fields)
    end
    if how == 'whole' then
        folded, folded_id, part, at = folded + 1, fields.id, 0, 1
        hole, hole_at = nil, nil
    elseif how == 'hole' then
        local _, following = entry_at(string.format('%d-0', folded + 2), '+')
        local to = fields and folded + 1 or math.min(following or math.huge, revision + 1) - 1
        is_waiting = not pass_hole(to)
    end
    budget = budget - 1
end
redis.call('HSET', KEYS[1], 'folded', string.format('%d', folded), 'part', part, 'at', at,
    'count', string.format('%d', count), 'config', config or '', 'folded_id', folded_id or '',
    'hole', hole and string.format('%d', hole) or '',
    'hole_at', hole_at and string.format('%d', hole_at) or '', 'passed', passed)

-- What stands behind the head is nobody's, and would be in the way of what is committed next.
local extra = redis.call('XRANGE', KEYS[2], string.format('%d-1', revision), '+', 'COUNT',
    EXTRA_MOST)
for _, entry in ipairs(extra) do
    redis.call('XDEL', KEYS[2], entry[1])
end
if #extra > 0 and #extra < EXTRA_MOST then
    redis.call('XSETID', KEYS[2], string.format('%d-0', revision))
end

-- What is kept of the log: at least what is not folded.
local keep = math.min(folded, revision - tonumber(ARGV[3])) + 1
if keep > 1 then
    redis.call('XTRIM', KEYS[2], 'MINID', string.format('%d-0', keep))
end
return { revision, folded, count, is_waiting and 1 or 0, last_passed, #extra }
