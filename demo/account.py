"""The one account of the stand-in site."""

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """An e-mail address, and the password that opens the site with it."""

    email: str = "garimpo@example.com"
    password: str = field(default="garimpo-demo", repr=False)

    def opens_with(self, email: str, password: str) -> bool:
        """Tell whether these are the account's; the address may be in capitals."""
        same_email = secrets.compare_digest(email.strip().lower().encode(), self.email.encode())
        same_password = secrets.compare_digest(password.encode(), self.password.encode())
        return same_email and same_password
