"""Carriers, tried out from the command line: who they are, what posts read to, posts sent."""

from deploy.carriers.history import show_history
from deploy.carriers.listing import show_providers
from deploy.carriers.posts import NoPosts, posts_of
from deploy.carriers.replay import Replay, replay
from deploy.carriers.sender import Hook

__all__ = [
    "Hook",
    "NoPosts",
    "Replay",
    "posts_of",
    "replay",
    "show_history",
    "show_providers",
]
