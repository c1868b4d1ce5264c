-- Asks for the same path with ids taken at random: wrk … -s wrk.lua URL -- PATH FIRST STEP COUNT
-- (%d in PATH stands for the id).

local requests = {}

function init(args)
  local path, first, step, count = args[1], tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  for number = 0, count - 1 do
    requests[number + 1] = wrk.format("GET", string.format(path, first + number * step))
  end
  math.randomseed(tonumber(args[5]))
end

function request()
  return requests[math.random(#requests)]
end
