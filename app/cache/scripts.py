"""The Lua that must happen in one step.

Numbers are written with `%.0f`: an epoch has 13 digits, which Lua's own formatting would write as 1.7e+12.
"""

# KEYS chain, contracts, version, staged; ARGV epoch, published_ms, floor, identity, contracts ("" when unchanged).
# The quotes wait in `staged`, which only this epoch writes: renaming costs nothing, while two megabytes that go through
# Lua are copied thrice. Returns the new number, -1 when a later epoch has written, -2 when the contracts must be sent
# as well.
PUBLISH = """
local held = redis.call('HMGET', KEYS[3], 'epoch', 'number', 'identity')
if tonumber(held[1] or 0) > tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[4])
  return -1
end
if redis.call('EXISTS', KEYS[4]) == 0 then return redis.error_reply('LOST the quotes were evicted') end
if ARGV[5] ~= '' then
  redis.call('SET', KEYS[2], ARGV[5])
elseif held[3] ~= ARGV[4] or redis.call('EXISTS', KEYS[2]) == 0 then
  return -2
end
local number = math.max(tonumber(held[2] or 0), tonumber(ARGV[3])) + 1
redis.call('RENAME', KEYS[4], KEYS[1])
redis.call('PERSIST', KEYS[1])
redis.call('HSET', KEYS[3], 'number', string.format('%.0f', number), 'published_ms', ARGV[2], 'epoch', ARGV[1],
  'identity', ARGV[4])
return number
"""

# KEYS chain, contracts, version; ARGV epoch. Returns -1 when a later epoch has written.
FORGET = """
if tonumber(redis.call('HGET', KEYS[3], 'epoch') or 0) > tonumber(ARGV[1]) then return -1 end
return redis.call('DEL', unpack(KEYS))
"""

# KEYS status; ARGV epoch, data. Returns 0 when a later epoch has written.
PUT_STATUS = """
if tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'data', ARGV[2])
return 1
"""

# KEYS any, for a cluster to find the server by. Its clock in ms.
CLOCK = """
local now = redis.call('TIME')
return now[1] * 1000 + math.floor(now[2] / 1000)
"""

# KEYS lease, epoch; ARGV owner, ttl_ms, until: a claim that a server carries out later than that, having hung, claims
# nothing, for its owner has given up. Returns the epoch, 0 when someone else holds the lease or it is too late.
# An epoch is at least the server's clock in ms, so that it grows even when Redis restarted without its data: a plain
# INCR would begin again at 1 and leave the new leader below the old one for ever.
ACQUIRE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[3]) then return 0 end
local epoch = math.max(tonumber(redis.call('GET', KEYS[2]) or 0) + 1, now)
redis.call('SET', KEYS[2], string.format('%.0f', epoch))
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return epoch
"""

RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

# GETDEL, for servers older than 6.2.
POP = """
local value = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
return value
"""

# KEYS stream, its epoch; ARGV epoch, id, kept, data. Returns -1 when a later epoch has written, 0 when the stream is
# already there: Redis itself refuses an id that isn't higher than the last.
APPEND = """
if tonumber(redis.call('GET', KEYS[2]) or 0) > tonumber(ARGV[1]) then return -1 end
redis.call('SET', KEYS[2], ARGV[1])
local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '=', ARGV[3], ARGV[2], 'data', ARGV[4])
if type(added) == 'table' and added.err then
  if string.find(added.err, 'equal or smaller') then return 0 end
  return redis.error_reply(added.err)
end
return 1
"""

ALL = (PUBLISH, FORGET, PUT_STATUS, CLOCK, ACQUIRE, RENEW, RELEASE, POP, APPEND)
