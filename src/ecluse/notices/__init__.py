"""Notices: who is told what about a processor's gate, when, by mail; and who was told.

It decides nothing and nobody waits for it: a gate is computed at each request, and closes on time with every worker dead and no mail server in the world.
What is told is planned from the same gatekeeper (`plan`), noted once under a unique key (`store`), written in plain words (`say`), and sent until a server
takes it or three days are over (`send`). A message holds nothing about any person whose data the controller keeps.
"""

from ecluse.notices.model import Audience, Due, Told, Topic

__all__ = ["Audience", "Due", "Told", "Topic"]
