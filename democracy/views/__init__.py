"""The pages of communities and decisions, a module for each area. `_errors` translates what a command refuses."""
