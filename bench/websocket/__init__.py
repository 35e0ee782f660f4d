"""WebSockets: CPU time per message beside other servers."""
