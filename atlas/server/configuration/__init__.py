"""The settings of a server: fields, types, and the places that they come from."""
