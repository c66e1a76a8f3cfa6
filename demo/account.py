"""Account of the demo site."""

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """E-mail address and password."""

    email: str = "garimpo@example.com"
    password: str = field(default="garimpo-demo", repr=False)

    def matches(self, email: str, password: str) -> bool:
        """Return whether these are the account's; the case of the e-mail address is ignored."""
        email_matches = secrets.compare_digest(email.strip().lower().encode(), self.email.encode())
        password_matches = secrets.compare_digest(password.encode(), self.password.encode())
        return email_matches and password_matches
