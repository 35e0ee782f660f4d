"""Meridian, a forum for people who read maps: an example of a whole site made with Atlas.

Begin to read in ``application.py``, which puts everything together.
"""
