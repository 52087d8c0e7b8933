-- SPDX-License-Identifier: Apache-2.0
-- Some of the keys and revocations that are past their time go: keys that expired so long ago,
-- revocations of keys that would have expired by now or, without an end, that old.
-- The server's clock says what is past: a node whose clock is years ahead would forget them all.
-- KEYS: head, the hash. ARGV: cursor, how many, how long they are kept (ms)
local time = redis.call('TIME')
local now, kept = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[3])

local function u64(s, at)
    local a, b, c, d, e, f, g, h = s:byte(at, at + 7)
    return a + b * 256 + c * 65536 + d * 16777216 +
        (e + f * 256 + g * 65536 + h * 16777216) * 4294967296
end

-- kind 1, length 4, change 1, revoked 1, id 8, digest 32, created 8, expires 8, revoked at 8
local function is_past(value)
    local expires, revoked_at = u64(value, 56), u64(value, 64)
    if value:byte(7) == 1 then
        if expires ~= 0 then
            return expires <= now
        end
        return revoked_at + kept <= now
    end
    return expires ~= 0 and expires + kept <= now
end

local found = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2])
for i = 1, #found[2], 2 do
    if is_past(found[2][i + 1]) then
        redis.call('HDEL', KEYS[2], found[2][i])
        redis.call('HINCRBY', KEYS[1], 'count', -1)
    end
end
return { found[1] }
