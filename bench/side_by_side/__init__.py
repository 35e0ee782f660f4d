"""The same ASGI application under Atlas and its peers, in one run: ``python -m bench.side_by_side``.

::

    __main__     options, and which of the two measurements is run
    scenarios    request, load, expected response and goal
    apps         the raw ASGI applications behind the scenarios
    servers      the servers and their command lines
    processes    start, pin and stop a server; CPU time and memory of its process tree
    client       one request over a blocking socket, to check a response before the measurement
    load         wrk: its command line and its output
    rounds       the measurement: interleaved rounds, medians
    table, plot  the result, for a terminal and as SVG
    memory       the memory of an idle connection
    floor.c      a C server that does nothing: the cost of the kernel's work
"""
