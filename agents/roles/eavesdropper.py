"""The base of programs that eavesdrop, and the textbook attack, under their short names.

The attacks are a file each in `eavesdroppers/`.
"""

from .eavesdroppers.base import Eavesdropper
from .eavesdroppers.intercept_resend import InterceptResend

__all__ = ["Eavesdropper", "InterceptResend"]
