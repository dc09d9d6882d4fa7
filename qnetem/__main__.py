"""`python -m qnetem`, which is to be the same as `qnetem`: the working directory holds no modules of ours.

Python puts it on the path before anything here runs; our own package has been found by then.
"""

import os
import sys

if not sys.flags.safe_path and sys.path[0] == os.getcwd():
    del sys.path[0]

from .cli.start import main

main()
