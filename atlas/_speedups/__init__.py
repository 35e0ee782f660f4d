"""The compiled core, one package per layer: ``buffers`` (sockets), ``http``, ``http1`` (protocols), ``calls`` (handlers)."""
