-- A short text in MessagePack.
local function packed(text)
  if #text < 32 then
    return string.char(160 + #text) .. text
  end
  return string.char(217, #text) .. text
end

-- The message about a presence in a group, whose name needs no escaping, from the format and the rest
-- of its record. An encrypted record has the whole message that its key has exited.
local function message(typ, group, format, rest)
  if format == 'm' then
    return '\132\164type\165wye1:\164type' .. packed(typ) .. '\165group' .. packed(group) .. rest
  elseif format == 'j' then
    return '{"type": "wye1:", "type": "' .. typ .. '", "group": "' .. group .. '", ' .. rest
  end
  return rest
end

