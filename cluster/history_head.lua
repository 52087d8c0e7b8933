-- SPDX-License-Identifier: Apache-2.0
-- Where the history is. Is the folded state as big as it should be, and lacks it nothing?
-- KEYS: head, resources, consumers, keys, revoked
local head = redis.call('HMGET', KEYS[1], 'revision', 'id', 'cluster', 'folded', 'count',
    'folded_id', 'config', 'hole', 'passed')
if not head[1] then
    return {}
end
local count = 0
for i = 2, 5 do
    count = count + redis.call('HLEN', KEYS[i])
end
local whole = count == (tonumber(head[5]) or 0) and (head[8] or '') == '' and 1 or 0
return { head[1], head[2], head[3], head[4] or '0', whole, head[6] or '', head[7] or '',
    head[9] or '0' }
