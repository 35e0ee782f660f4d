"""The same small web applications in Atlas and in its peers, over a socket: ``python -m bench.side_by_side.web``.

::

    __main__     options; runs the endpoints and saves the figures
    endpoints    request, expected response, goals
    frameworks   the frameworks, and the server of each
    apps/        one module per framework: the same five applications in each, the way its documentation writes them
    table        the result of an endpoint, for a terminal

Processes, wrk, rounds and medians come from the package above.
"""
