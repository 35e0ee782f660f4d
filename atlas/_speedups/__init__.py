"""The compiled core, a package per layer: ``buffers`` (sockets), ``http``, ``http1`` (protocols), ``calls``."""
