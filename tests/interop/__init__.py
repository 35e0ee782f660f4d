"""Third-party frameworks served by Atlas, and third-party clients."""
