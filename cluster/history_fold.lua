-- SPDX-License-Identifier: Apache-2.0
-- Brings the state (hashes of resources, consumers, keys and revocations) nearer to the head: a
-- bounded number of items at a time, so that no entry, however big, holds up anybody. Each step is
-- whole and says where the next one begins, so it does not matter which node makes it.
--
-- Mode "log": from the entries. Mode "state": items of a state that a node uploads, into keys that
-- nobody reads yet, while it holds the lock.
-- KEYS: head, log, resources, consumers, keys, revoked (of those that are written), lock
-- ARGV: "log", items, history kept, prefix of bodies, how long they stay (ms)
--       "state", not-after, token, items, lifetime (ms)
local NONE = string.rep('\0', 8)

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

-- One item; how the number of fields changed, and whether it was of the configuration.
local function fold(kind, body, revision, tag)
    if kind == 1 then
        return fold_resource(body, revision, tag), true
    elseif kind == 2 then
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
    while at <= #ARGV[4] do
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
    'folded_id')
if not head[1] then
    return { 0, 0, 0 }
end
local revision, folded = tonumber(head[1]), tonumber(head[2]) or 0
local part, at, count = tonumber(head[3]) or 0, tonumber(head[4]) or 1, tonumber(head[5]) or 0
local config, folded_id = head[6], head[7]
local budget = tonumber(ARGV[2])

local function hex(id)
    return (id:gsub('.', function(c) return string.format('%02x', c:byte()) end))
end

-- Folds of one part; true: to its end.
local function fold_part(items, entry_revision, id)
    local tag = id:sub(1, 8):reverse()
    local rev8 = as_u64(entry_revision)
    while at <= #items do
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

local is_hole = false
while folded < revision and budget > 0 do
    local id = string.format('%d-0', folded + 1)
    local found = redis.call('XRANGE', KEYS[2], id, id)
    if #found == 0 then
        is_hole = true
        break
    end
    local fields = {}
    for i = 1, #found[1][2], 2 do
        fields[found[1][2][i]] = found[1][2][i + 1]
    end
    local parts = tonumber(fields.parts)
    local body = ARGV[4] .. hex(fields.id)
    local is_whole = true
    if parts == 0 then
        is_whole = fold_part(fields.items, folded + 1, fields.id)
    else
        while part < parts and is_whole do
            local items = redis.call('HGET', body, part)
            if not items then
                is_hole = true
                break
            end
            is_whole = fold_part(items, folded + 1, fields.id)
            if is_whole then
                part, at = part + 1, 1
            end
        end
    end
    if is_hole then
        break
    end
    if is_whole then
        folded, folded_id, part, at, budget = folded + 1, fields.id, 0, 1, budget - 1
        if parts > 0 then
            redis.call('PEXPIRE', body, ARGV[5])
        end
    end
end
if is_hole then
    -- Something was taken out of Redis: the count says that the state is not whole.
    folded, part, at, count = revision, 0, 1, -1
end
redis.call('HSET', KEYS[1], 'folded', string.format('%d', folded), 'part', part, 'at', at,
    'count', string.format('%d', count), 'config', config or '', 'folded_id', folded_id or '')

-- What is kept of the log: at least what is not folded.
local keep = math.min(folded, revision - tonumber(ARGV[3])) + 1
if keep > 1 then
    redis.call('XTRIM', KEYS[2], 'MINID', string.format('%d-0', keep))
end
return { revision, folded, count }
