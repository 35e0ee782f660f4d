"""The same ASGI application under Atlas and its peers, in one run: ``python -m bench.side_by_side``.

::

    __main__     options, and which of the two measurements is run
    scenarios    what is asked of a server: the request, the load, the answer that is right, the goal
    apps         the raw ASGI applications behind the scenarios
    servers      who takes part and with which command line
    processes    start, pin and stop a server; what its process tree has cost
    client       one plain request over a plain socket, to check an answer before it is timed
    load         wrk: its command line and what it prints
    rounds       the measurement: interleaved rounds, medians
    table, plot  the result, for a terminal and as SVG
    memory       what an idle connection costs
    floor.c      a server that does nothing: the cost of the kernel's share
"""
