-- wrk -s request.lua URL -- METHOD BODY_BYTES
-- Only `init` is defined, no `request`: wrk then formats the request once and runs no Lua while it measures.
function init(args)
  wrk.method = args[1]
  local length = tonumber(args[2])
  if length > 0 then
    wrk.body = string.rep("x", length)
  end
end
