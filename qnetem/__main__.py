"""`python -m qnetem`."""

from .cli import main

main()
