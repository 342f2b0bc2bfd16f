"""What is done to carts that are merged, as scripts; see `scripts`."""

from __future__ import annotations

from domains.carts.models.scripts import APPLY, GIVE_BACK, PRELUDE

# The source of a merge. KEYS: 3 the carts of the shard that are being merged. Whoever comes later,
# or again, carries on what was begun: into the same cart, as the same attempt. Without `into` it
# only tells what there is to merge.
BEGIN_MERGE = (
    PRELUDE
    + """
if cart.state == 'MERGING' or cart.state == 'MERGED' then
    if redis.call('HGET', KEYS[1], 'by') ~= given.owner then return {'not_found'} end
    return answer(cart.state == 'MERGED' and 'merged' or 'ok')
end
local no = refusal()
if no then return no end
if cart.customer ~= '' then return {'not_mergeable'} end
if given.into == '' then return answer('ok') end
depart(given.into, given.owner, KEYS[3])
return answer('ok')
"""
)

# The target of a merge. KEYS: 3 whose cart it is. `merged:<source>` is the attempt that was carried
# out or, with a minus, the last one that never may be, with its place among all such marks. The
# latest are kept: a source asks again within seconds, until it is told, and each read of the cart
# brings them along.
APPLY_MERGE = (
    PRELUDE
    + APPLY
    + """
local mark = 'merged:' .. given.source
local function remember_merge(attempt)
    local place = redis.call('HINCRBY', KEYS[1], 'merges', 1)
    redis.call('HSET', KEYS[1], mark, attempt .. ' ' .. place)
    if place <= given.most_merged then return end
    local places, texts = {}, redis.call('HGETALL', KEYS[1])
    for i = 1, #texts, 2 do
        if string.sub(texts[i], 1, 7) == 'merged:' then
            places[#places + 1] = {texts[i], tonumber(string.match(texts[i + 1], '%d+$'))}
        end
    end
    table.sort(places, function(one, other) return one[2] > other[2] end)
    for i = given.most_merged + 1, #places do redis.call('HDEL', KEYS[1], places[i][1]) end
end

local text = redis.call('HGET', KEYS[1], mark)
local known = text and tonumber(string.match(text, '^-?%d+')) or 0
if known > 0 then return {'ok'} end
if invisible() or cart.state == 'CHECKED_OUT' or cart.state == 'MERGED' then return {'gone'} end
if -known >= given.attempt then return {'frozen'} end
if cart.state ~= 'OPEN' then
    remember_merge(-given.attempt)
    return {'frozen'}
end
local fields = {}
for _, group in ipairs(given.groups) do
    if (redis.call('HGET', KEYS[1], group.first) or '') == '' then
        for name, value in pairs(group.fields) do fields[name] = value end
    end
end
if given.note ~= '' then
    fields.note = joined(redis.call('HGET', KEYS[1], 'note') or '', given.note, given.most_note)
end
if given.coupons then
    local known_coupons = redis.call('HGET', KEYS[1], 'coupons') or ''
    local own = known_coupons ~= '' and cjson.decode(known_coupons) or {}
    local coupons, has = {}, {}
    for _, list in ipairs({own, given.coupons}) do
        for _, code in ipairs(list) do
            local plain = code:match('^%s*(.-)%s*$'):upper()
            if not has[plain] and #coupons < given.most_coupons then
                has[plain], coupons[#coupons + 1] = true, code
            end
        end
    end
    if #coupons > 0 then fields.coupons = cjson.encode(coupons) end
end
local came = apply(given.changes, fields, true)
for sku, text in pairs(given.seen) do
    if redis.call('HEXISTS', KEYS[1], 'line:' .. sku) == 1 then
        redis.call('HSETNX', KEYS[1], 'seen:' .. sku, text)
    end
end
remember_merge(given.attempt)
keep(KEYS[3])
if came == 'changed' then emit({status = 'OPEN'}) end
return {'ok'}
"""
)

# The source again: it is gone, or it is given back. KEYS: 3 as in BEGIN_MERGE.
FINISH_MERGE = (
    PRELUDE
    + """
if cart.state ~= 'MERGING' or cart.attempt ~= given.attempt then return {'ok'} end
local by = redis.call('HGET', KEYS[1], 'by')
cart.version, cart.lines, cart.quantity = cart.version + 1, 0, 0
emit({status = 'MERGED'})
bury('MERGED', 'into', cart.into, 'by', by)
redis.call('ZREM', KEYS[3], given.cart)
return {'ok'}
"""
)

UNDO_MERGE = (
    PRELUDE
    + GIVE_BACK
    + """
if cart.state ~= 'MERGING' or cart.attempt ~= given.attempt then return {'other'} end
local no = another()
if no then return no end
redis.call('ZREM', KEYS[3], given.cart)
return give_back(KEYS[3])
"""
)
