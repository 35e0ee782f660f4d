"""TLS: contexts, certificates, and what an application learns of them."""
