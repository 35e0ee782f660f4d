"""Other people's frameworks, served by Atlas, asked by other people's clients."""
