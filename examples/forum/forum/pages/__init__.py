"""Controllers: one module for each part of the site."""
