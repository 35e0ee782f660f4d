"""The same small web applications in Atlas and in its peers, over a socket: ``python -m bench.side_by_side.web``.

::

    __main__     options; runs the endpoints and saves the figures
    endpoints    what is asked, the one right answer, the goals
    frameworks   who takes part, and on which server
    apps/        one module per framework: the same five applications in each, the way its documentation writes them
    table        the result of an endpoint, for a terminal

What measures is the package above: processes, wrk, rounds, medians.
"""
