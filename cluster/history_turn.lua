-- SPDX-License-Identifier: Apache-2.0
-- A turn: while one node has it nobody else's commits are taken. It is for a change that takes so
-- long that others are always first, is short, is renewed by who has it, and ends by itself.
-- After it others have a moment in which it cannot be taken again.
-- KEYS: head. ARGV: not-after, token, how: "take", "renew" or "give", how long (ms), moment (ms)
local time = redis.call('TIME')
if time[1] * 1000000 + time[2] > tonumber(ARGV[1]) then
    return { 'late' }
end
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('HMGET', KEYS[1], 'revision', 'turn', 'until')
if not head[1] then
    return { 'none' }
end
local ends, most = tonumber(head[3]) or 0, tonumber(ARGV[4])
-- One that ends later than any can was given before the clock was set back.
if ends > now + most then
    ends = 0
end
local is_mine = head[2] == ARGV[2] and now < ends
if ARGV[3] == 'take' and not is_mine and now < ends + tonumber(ARGV[5]) then
    return { 'theirs' }
elseif ARGV[3] ~= 'take' and not is_mine then
    return { 'over' }
end
ends = ARGV[3] == 'give' and now or now + most
redis.call('HSET', KEYS[1], 'turn', ARGV[2], 'until', string.format('%d', ends))
return { 'yours', head[1] }
