# No name of this module can be reached from Python.
