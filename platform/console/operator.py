"""The person at this terminal, as the trail will name them."""

import getpass

from centre.kernel.actors import Actor, ActorKind


def operator() -> Actor:
    """Return the operator who runs this command."""
    name = getpass.getuser()
    return Actor(kind=ActorKind.OPERATOR, id=name, name=name)
