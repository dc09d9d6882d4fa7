"""Denied: a request of an application that is not served, and why.

Owns the exception and the status codes of ETSI GS QKD 014. Rule: no text in it quotes key material, or says
anything of keys of other applications.
"""

from __future__ import annotations

from ...emulator.errors import InputError

BAD_REQUEST, UNAUTHORIZED, UNAVAILABLE = 400, 401, 503

NOT_FOUND = "one or more keys specified are not found on KME"
NOT_MULTIPLE = "size shall be a multiple of 8"
NOT_SUPPORTED = "not all extension_mandatory parameters are supported"


class Denied(InputError):
    """`status`: 400, 401 or 503; `details`: more about it, for the client; `reason`: for reports."""

    def __init__(self, status: int, message: str, reason: str, details: str = "") -> None:
        super().__init__(f"{message}: {details}" if details else message)
        self.status, self.message, self.reason, self.details = status, message, reason, details
