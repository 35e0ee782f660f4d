"""How a handler is called: routes, requests, responses, tasks; the compiled half of gateway and web."""
