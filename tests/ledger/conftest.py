"""Property tests draw the same examples in every run: a failure is a change, never a chance."""

from hypothesis import settings

settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")
