"""The installed version."""

from __future__ import annotations


def package_version() -> str:
    """The installed version, or what stands for it in a bare checkout."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("qnetem")
    except PackageNotFoundError:
        return "0+unknown"
