"""What is done to carts, as scripts that Redis runs one at a time.

KEYS: 1 the cart, 2 the outbox of its shard; a script says what else. ARGV[1] is a JSON object,
`given`. The first part of an answer is a code; what follows `ok` and `replayed` is the cart.
Nothing is undone in a script that fails midway, so each looks at everything before it writes.

A cart is a hash: `state`, `version`, the number of events (`sequence`) and so on, `line:<sku>` =
"position quantity note", and `seen:<sku>` = what the customer was told of it last.
"""

from __future__ import annotations

PRELUDE = """
local given = cjson.decode(ARGV[1])
local cart = {}
do
    local texts = {'state', 'customer', 'currency', 'channel', 'order_id', 'into'}
    local numbers = {'version', 'lines', 'quantity', 'size', 'next', 'attempt'}
    for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(texts))) do
        cart[texts[i]] = value or ''
    end
    for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(numbers))) do
        cart[numbers[i]] = tonumber(value) or 0
    end
end

local function answer(code)
    return {code, redis.call('HGETALL', KEYS[1])}
end

local function invisible()
    return cart.state == '' or cart.state == 'DELETED'
        or (cart.customer ~= '' and cart.customer ~= given.owner)
end

local function refusal()
    if invisible() or cart.state == 'MERGED' then return {'not_found'} end
    if cart.state == 'CHECKED_OUT' then return {'checked_out', cart.order_id} end
    if cart.state ~= 'OPEN' then return {'frozen'} end
    return nil
end

local function told_before(key)
    if not given.once then return nil end
    local known = redis.call('GET', key)
    if not known then return nil end
    if string.sub(known, 1, #given.once) ~= given.once then return {'key_reused'} end
    return {'replayed', string.sub(known, #given.once + 2)}
end

local function remember(key)
    if given.once then
        redis.call('SET', key, given.once .. ' ' .. given.cart, 'PX', given.once_ms)
    end
end

local function emit(facts)
    facts.cart_id = given.cart
    facts.customer_id = cart.customer ~= '' and cart.customer or cjson.null
    facts.cart_version = cart.version
    facts.currency = cart.currency
    facts.channel = cart.channel ~= '' and cart.channel or cjson.null
    facts.line_count = cart.lines
    facts.quantity = cart.quantity
    local sequence = redis.call('HINCRBY', KEYS[1], 'sequence', 1)
    redis.call('XADD', KEYS[2], '*', 'key', given.cart, 'sequence', sequence,
        'payload', cjson.encode(facts), unpack(given.envelope))
end

-- current: the key that names the customer's open cart, and lasts at least as long as that.
local function keep(current)
    local wanted = cart.customer == '' and given.guest_ms or given.customer_ms
    redis.call('PEXPIRE', KEYS[1], wanted)
    if cart.customer ~= '' then redis.call('PEXPIRE', current, given.tomb_ms) end
end

-- The cart begins its way into another one. merging: the carts of the shard that are on theirs.
local function depart(into, by, merging)
    redis.call('HSET', KEYS[1], 'state', 'MERGING', 'into', into, 'by', by,
        'attempt', cart.attempt + 1)
    redis.call('PERSIST', KEYS[1])
    redis.call('ZADD', merging, given.now_ms, given.cart)
end

-- The cart goes; its id stays taken, and it stays known what was merged into it.
local function bury(state, ...)
    local sequence = redis.call('HGET', KEYS[1], 'sequence')
    local gone = {}
    for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
        if string.sub(name, 1, 7) ~= 'merged:' then gone[#gone + 1] = name end
    end
    for i = 1, #gone, 1000 do
        redis.call('HDEL', KEYS[1], unpack(gone, i, math.min(i + 999, #gone)))
    end
    redis.call('HSET', KEYS[1], 'state', state, 'version', cart.version, 'sequence', sequence,
        'customer', cart.customer, 'currency', cart.currency, 'channel', cart.channel,
        'updated_at', given.now, ...)
    redis.call('PEXPIRE', KEYS[1], given.tomb_ms)
end

local function text_of(line)
    return string.format('%d %d %s', line.position, line.quantity, line.note)
end

local function line_of(text)
    local position, quantity, note = string.match(text, '^(%d+) (%d+) (.*)$')
    return {position = tonumber(position), quantity = tonumber(quantity), note = note}
end
"""

# Carries out what `changes` and `fields` say, or tells why not. `merge`: quantities that would be
# too large are cut, lines that are too many left out, since nobody is there to choose; a note goes
# below the one that is there, unless that says the same or both have more characters than `most`.
APPLY = """
local function joined(own, theirs, most)
    if own == '' then return theirs end
    if string.find('\\n' .. own .. '\\n', '\\n' .. theirs .. '\\n', 1, true) then return own end
    local both = own .. '\\n' .. theirs
    local _, length = string.gsub(both, '[^\\128-\\191]', '')
    return length <= most and both or own
end

local function apply(changes, fields, merge)
    local lines, skus = {}, {}
    for _, change in ipairs(changes) do
        local line = lines[change.sku]
        if not line then
            local text = redis.call('HGET', KEYS[1], 'line:' .. change.sku)
            line = text and line_of(text) or {quantity = 0, note = ''}
            line.before = text or ''
            line.had, line.size = line.quantity, text and #change.sku + #line.note or 0
            lines[change.sku] = line
            skus[#skus + 1] = change.sku
        end
        if change.kind == 'add' then
            line.quantity = line.quantity + change.quantity
        else
            line.quantity = change.quantity
        end
        if change.note then
            line.note = merge and joined(line.note, change.note, given.most_line_note)
                or change.note
        end
        if merge then line.quantity = math.min(line.quantity, given.most_quantity) end
        if line.quantity > given.most_quantity then return 'quantity_too_large' end
    end
    local count, quantity, size, next = cart.lines, cart.quantity, cart.size, cart.next
    local writes, gone = {}, {}
    for _, sku in ipairs(skus) do
        local line = lines[sku]
        if line.quantity == 0 then
            if line.before ~= '' then
                gone[#gone + 1] = 'line:' .. sku
                gone[#gone + 1] = 'seen:' .. sku
                count, quantity, size = count - 1, quantity - line.had, size - line.size
            end
        elseif not (merge and line.before == '' and count >= given.most_lines) then
            if line.before == '' then
                line.position, next, count = next, next + 1, count + 1
            end
            local text = text_of(line)
            if text ~= line.before then
                writes[#writes + 1] = 'line:' .. sku
                writes[#writes + 1] = text
                quantity = quantity + line.quantity - line.had
                size = size + #sku + #line.note - line.size
            end
        end
    end
    for name, value in pairs(fields) do
        local before = redis.call('HGET', KEYS[1], name) or ''
        if before ~= value then
            writes[#writes + 1] = name
            writes[#writes + 1] = value
            size = size + #value - #before
        end
    end
    if count > given.most_lines and count > cart.lines then return 'too_many_lines' end
    if size > given.most_size and size > cart.size and not merge then return 'too_large' end
    if #writes == 0 and #gone == 0 then return 'same' end
    -- Not all at once: what a call takes is limited by Lua's stack.
    for i = 1, #gone, 1000 do
        redis.call('HDEL', KEYS[1], unpack(gone, i, math.min(i + 999, #gone)))
    end
    for i = 1, #writes, 1000 do
        redis.call('HSET', KEYS[1], unpack(writes, i, math.min(i + 999, #writes)))
    end
    cart.lines, cart.quantity, cart.version = count, quantity, cart.version + 1
    redis.call('HSET', KEYS[1], 'lines', count, 'quantity', quantity, 'size', size, 'next', next,
        'version', cart.version, 'updated_at', given.now)
    return 'changed'
end
"""

# KEYS: 3 whose cart it is (`current`), 4 the Idempotency-Key, 5 the cart that was current.
CREATE = (
    PRELUDE
    + """
local known = told_before(KEYS[4])
if known then return known end
if given.owner ~= '' then
    local current = redis.call('GET', KEYS[3]) or ''
    if current ~= given.expected then return {'again', current} end
    if current ~= '' and redis.call('HGET', KEYS[5], 'state') == 'OPEN' then
        return {'current', current}
    end
end
if cart.state ~= '' then return {'taken'} end
cart.state, cart.version, cart.customer = 'OPEN', 1, given.owner
cart.currency, cart.channel = given.currency, given.channel
redis.call('HSET', KEYS[1], 'state', 'OPEN', 'version', 1, 'sequence', 0, 'customer', given.owner,
    'currency', given.currency, 'channel', given.channel, 'created_at', given.now,
    'updated_at', given.now, 'lines', 0, 'quantity', 0, 'size', 0, 'next', 0)
keep(KEYS[3])
if given.owner ~= '' then redis.call('SET', KEYS[3], given.cart, 'PX', given.tomb_ms) end
remember(KEYS[4])
emit({status = 'OPEN'})
return answer('ok')
"""
)

# Of a cart that was not looked at for a while, the time left is set anew. KEYS: 3 whose cart it is.
READ = (
    PRELUDE
    + """
if invisible() or cart.state == 'MERGED' then return {'not_found'} end
if cart.state == 'CHECKED_OUT' then return {'checked_out', cart.order_id} end
if cart.state == 'OPEN' then
    local wanted = cart.customer == '' and given.guest_ms or given.customer_ms
    if redis.call('PTTL', KEYS[1]) < wanted - wanted / 16 then keep(KEYS[3]) end
end
return answer('ok')
"""
)

# KEYS: 3 whose cart it is, 4 the Idempotency-Key.
CHANGE = (
    PRELUDE
    + APPLY
    + """
local no = refusal()
if no then return no end
local known = told_before(KEYS[4])
if known then return known[1] == 'replayed' and answer('replayed') or known end
if given.version and given.version ~= cart.version then return {'changed'} end
local came = apply(given.changes, given.fields, false)
if came ~= 'same' and came ~= 'changed' then return {came} end
keep(KEYS[3])
remember(KEYS[4])
if came == 'changed' then emit({status = 'OPEN'}) end
return answer('ok')
"""
)

# What the customer was told of lines: no change of the cart, and no fact.
SEE = (
    PRELUDE
    + """
if refusal() then return {'ok'} end
for sku, text in pairs(given.seen) do
    if redis.call('HEXISTS', KEYS[1], 'line:' .. sku) == 1 then
        redis.call(given.again and 'HSET' or 'HSETNX', KEYS[1], 'seen:' .. sku, text)
    end
end
return {'ok'}
"""
)

# What is held for the cart, or nothing: no change of the cart either. What the customer let go of
# while it was frozen is not held again when it is given back.
NOTE_HOLD = (
    PRELUDE
    + """
local no = refusal()
if no and not (no[1] == 'frozen' and given.hold == '') then return no end
if given.hold == '' then
    redis.call('HDEL', KEYS[1], 'hold')
else
    redis.call('HSET', KEYS[1], 'hold', given.hold)
end
return {'ok'}
"""
)

DELETE = (
    PRELUDE
    + """
if cart.state == 'DELETED' and (cart.customer == '' or cart.customer == given.owner) then
    return {'ok'}
end
local no = refusal()
if no then return no end
if given.version and given.version ~= cart.version then return {'changed'} end
cart.version, cart.lines, cart.quantity = cart.version + 1, 0, 0
emit({status = 'DELETED'})
bury('DELETED')
return {'ok'}
"""
)

# KEYS: 3 the frozen carts of the shard.
FREEZE = (
    PRELUDE
    + """
if invisible() then return {'not_found'} end
if cart.state == 'FROZEN' then return answer('ok') end
local no = refusal()
if no then return no end
if given.version and given.version ~= cart.version then return {'changed'} end
if cart.lines == 0 then return {'empty'} end
redis.call('HSET', KEYS[1], 'state', 'FROZEN', 'order_id', given.order_id, 'frozen_at', given.now)
redis.call('PERSIST', KEYS[1])
redis.call('ZADD', KEYS[3], given.now_ms, given.cart .. ' ' .. given.order_id)
return answer('ok')
"""
)

# KEYS: 3 the frozen carts of the shard. Whose cart it is makes no difference here.
CLOSE = (
    PRELUDE
    + """
if cart.order_id ~= given.order_id then return {'other'} end
if cart.state == 'CHECKED_OUT' then return {'ok'} end
if cart.state ~= 'FROZEN' then return {'other'} end
cart.version = cart.version + 1
emit({order_id = given.order_id})
bury('CHECKED_OUT', 'order_id', given.order_id)
redis.call('ZREM', KEYS[3], given.cart .. ' ' .. given.order_id)
return {'ok'}
"""
)

# Of a customer's carts one alone is open, and that is the current one. What is given back is open
# again, or goes into the other one. KEYS: 4 which cart is current, 5 that cart, as far as the
# caller knows (`expected`).
GIVE_BACK = """
local function another()
    if cart.customer == '' then return nil end
    local current = redis.call('GET', KEYS[4]) or ''
    if current ~= given.expected then return {'again', current} end
end

local function give_back(merging)
    redis.call('HDEL', KEYS[1], 'order_id', 'frozen_at', 'into', 'by')
    if cart.customer ~= '' and given.expected ~= given.cart
        and redis.call('HGET', KEYS[5], 'state') == 'OPEN' then
        depart(given.expected, cart.customer, merging)
    else
        redis.call('HSET', KEYS[1], 'state', 'OPEN')
        keep(KEYS[4])
        if cart.customer ~= '' then redis.call('SET', KEYS[4], given.cart, 'PX', given.tomb_ms) end
    end
    return answer('ok')
end
"""

# KEYS: 3 the frozen carts of the shard, 6 those that are being merged.
REOPEN = (
    PRELUDE
    + GIVE_BACK
    + """
if cart.state ~= 'FROZEN' or cart.order_id ~= given.order_id then return {'other'} end
local no = another()
if no then return no end
if given.hold == '' then
    redis.call('HDEL', KEYS[1], 'hold')
elseif redis.call('HEXISTS', KEYS[1], 'hold') == 1 then
    redis.call('HSET', KEYS[1], 'hold', given.hold)
end
redis.call('ZREM', KEYS[3], given.cart .. ' ' .. given.order_id)
return give_back(KEYS[6])
"""
)
