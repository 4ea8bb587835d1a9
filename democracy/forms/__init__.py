"""The forms of pages: they say what can be typed in. The rules are the commands'."""
