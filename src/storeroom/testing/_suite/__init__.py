"""The parts of `DriverSuite`, one file per subject."""

import pkgutil

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{part.name}" for part in pkgutil.iter_modules(__path__))
)
