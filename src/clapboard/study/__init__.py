"""The real-or-fake study: people hear the same picture with two sounds, and say which is the original, or the better.

``begin`` makes a folder of it, ``order`` draws who is asked what, ``taking`` keeps the answers, ``pages`` asks in the
browser, ``results`` counts and ``report`` tells. After Y. Zhou et al., "Visual to Sound" (2018), section 5, whose study
asked on a market place for small tasks.
"""
