-- wrk -s request.lua URL -- METHOD TEXT TIMES
-- Only `init` is defined, no `request`: wrk then formats the request once and runs no Lua while it measures.
function init(args)
  wrk.method = args[1]
  local body = string.rep(args[2], tonumber(args[3]))
  if #body > 0 then
    wrk.body = body
  end
end
