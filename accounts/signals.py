"""What others may want to know about signing in. Receivers must not raise; they are called robustly all the same."""

from django.dispatch import Signal

# A link or a bearer token that did not work; sent without the token and without an address.
sign_in_failed = Signal()

# A rate limit refused somebody; with `message`: which limit, in words.
limit_reached = Signal()
