"""What answers requests: one file for each part of the site."""
