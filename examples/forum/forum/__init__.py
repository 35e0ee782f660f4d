"""Meridian, a forum about maps: an example of a complete site made with Atlas.

Begin to read in ``application.py``, which puts everything together.
"""
