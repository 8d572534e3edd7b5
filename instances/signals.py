"""What `provisioning` tells the apps to its left, inside its own transaction.

`events` and `polling` import `instances`, never the other way round; this is how a changed instance reaches them in
the same commit.
"""

from __future__ import annotations

from django.dispatch import Signal

# Arguments: instance (saved), baseline (instances.provisioning.Baseline | None: fixed when events begin or resources
# are added), starts_over (bool: the provider account is another one, so watermarks of the old one mean nothing),
# previous_configuration (str: what `configuration_encrypted` was before; to take things back at the old account with).
instance_configured = Signal()

# Argument: instance, still in the database.
instance_deleting = Signal()
