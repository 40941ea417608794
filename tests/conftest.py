"""What holds for every test."""

from __future__ import annotations

import os
import tempfile

# Read when torch is loaded: tests share the cores with the workers they start (see the README's figures).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The runs of the tests are none that this user would look for.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="nbmodels-state-")
