"""Jinja2 templates that run several times faster: an environment that takes the place of :class:`jinja2.Environment`.

It is independent of the rest of Atlas, and can be used in any application.
"""

from atlas.templates.bytecode_cache import UserBytecodeCache
from atlas.templates.context import Context
from atlas.templates.environment import Environment, Template

__all__ = ["Context", "Environment", "Template", "UserBytecodeCache"]
