"""Signals about signing in and rights. Receivers must not raise; they are called robustly all the same."""

from django.dispatch import Signal

# A sign-in link failed or, as `what` says then, an API token. Sent without the token and without an address.
sign_in_failed = Signal()

# A rate limit refused somebody. `message` names the limit, in words.
limit_reached = Signal()

# What somebody's rights rest on has changed: their account, an API token, a group. `user_id` says whose. Sent in the
# transaction of the change, which others see after its commit.
rights_changed = Signal()
