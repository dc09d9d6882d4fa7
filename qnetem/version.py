"""The version of the package that is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def package_version() -> str:
    """The installed version, or what stands for it in a bare checkout."""
    try:
        return version("qnetem")
    except PackageNotFoundError:
        return "0+unknown"
