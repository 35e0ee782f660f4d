"""Transports that send the requests of a test to an application: in the same process, and over a socket.

The same tests run with every transport, and expect the same responses. Module ``servers`` runs the servers, ``client``
is a client for a socket, and ``transport`` has the transports.
"""
