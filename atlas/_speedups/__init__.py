"""The compiled core, one package per layer: ``buffers``, ``http``, ``http1``, ``calls``; see ARCHITECTURE.md."""
