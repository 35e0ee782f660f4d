-- wrk -s pipelined.lua URL -- DEPTH
-- Writes DEPTH requests at once and waits for all their answers; wrk counts each answer as one request.
local batch

function init(args)
  batch = string.rep(wrk.format(), tonumber(args[1]))
end

function request()
  return batch
end
