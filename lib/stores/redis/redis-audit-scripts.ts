import { HISTORY_KINDS } from '../../audit/audit-record.js';
import { OVERLAP_MS } from '../../audit/audit-trail.js';
import { script } from './redis-script.js';

/** How long a server remembers a call that must not happen twice, milliseconds. */
const REMEMBERED_MS = 600_000;
/** Entries that one script looks at or removes, so that none blocks the server for long. */
const SWEPT_TOGETHER = 1000;

/** KEYS index, name of the call; ARGV mark, then kind, time until which it is kept and JSON of each entry. Returns whether they are new, 1 or 0. */
export const APPEND_AUDIT = script(`
mark(ARGV[1])
if not call('SET', KEYS[2], '', 'NX', 'PX', ${REMEMBERED_MS}) then return 0 end
for i = 2, #ARGV, 3 do
  call('XADD', base() .. 'audit', '*', 'k', ARGV[i], 'x', ARGV[i + 1], 'j', ARGV[i + 2])
end
return 1`);

/**
 * KEYS a stream; ARGV "newest" or "oldest", most entries of a stream, most of all, then for each stream of the same server its name, the id of the
 * last entry that was read and the digest of that entry; empty at the beginning. If the last entry is gone or another one, because a server
 * took over that lacks it, reading goes back some time. Returns for each stream with entries its number and them.
 */
export const READ_AUDIT = script(
  `
local function digest(entry)
  return string.sub(redis.sha1hex(table.concat(entry[2], '\\0')), 1, 6)
end
local results, left = {}, tonumber(ARGV[3])
for i = 4, #ARGV, 3 do
  if left <= 0 then break end
  local stream, id, known = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local count, entries = math.min(left, tonumber(ARGV[2]))
  if ARGV[1] == 'newest' then
    entries = call('XREVRANGE', stream, id == '' and '+' or '(' .. id, '-', 'COUNT', count)
  else
    local from = '-'
    if id ~= '' then
      local last = call('XRANGE', stream, id, id)[1]
      local time = tonumber(string.match(id, '^%d+'))
      from = last and digest(last) == known and '(' .. id or string.format('%.0f', math.max(time - ${OVERLAP_MS}, 0))
    end
    entries = call('XRANGE', stream, from, '+', 'COUNT', count)
  end
  left = left - #entries
  if #entries > 0 then results[#results + 1] = { (i - 4) / 3, entries } end
end
return results`,
  ' flags=allow-oom,allow-cross-slot-keys',
);

/**
 * KEYS a stream; ARGV a time. Removes entries that are kept no longer: those at the head, and behind it the ones between records of ended sessions,
 * which are kept longer. Returns whether there may be more, 1 or 0.
 */
export const SWEEP_AUDIT = script(`
local now, mayHaveMore = tonumber(ARGV[1]), 0
local longKinds = { ${HISTORY_KINDS.map((kind) => `['${kind}'] = true`).join(', ')} }
local function kept(entry) return (tonumber(entry[2][4]) or 0) > now end
local entries = call('XRANGE', KEYS[1], '-', '+', 'COUNT', ${SWEPT_TOGETHER})
local removed = 0
while entries[removed + 1] and not kept(entries[removed + 1]) do removed = removed + 1 end
if removed > 0 then
  call('XDEL', KEYS[1], entries[removed][1])
  call('XTRIM', KEYS[1], 'MINID', entries[removed][1])
  if removed == ${SWEPT_TOGETHER} then return 1 end
end
local place = call('GET', base() .. 'swept')
entries = call('XRANGE', KEYS[1], place and '(' .. place or '-', '+', 'COUNT', ${SWEPT_TOGETHER})
local passed = 0
for i, entry in ipairs(entries) do
  if not kept(entry) then call('XDEL', KEYS[1], entry[1]) elseif not longKinds[entry[2][2]] then break end
  passed = i
end
if passed > 0 then call('SET', base() .. 'swept', entries[passed][1]) end
return passed == ${SWEPT_TOGETHER} and 1 or 0`);
