-- wrk -s latencies.lua URL
-- Only `done` is defined: it runs when everything is over, and prints every latency that was seen, in microseconds, with its number.
function done(summary, latency, requests)
  for index = 1, #latency do
    local microseconds, count = latency(index)
    io.write(string.format("latency %d %d\n", microseconds, count))
  end
end
