"""What holds for every test."""

from __future__ import annotations

import os

# Read when torch is loaded: tests share the cores with the workers they start (see the README's figures).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
