"""The types of the API: each shows what its viewer may see of the row or value behind it."""
