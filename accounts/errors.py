"""Errors that people can correct. Each names the input, the problem, and the remedy."""

from __future__ import annotations


class DomainError(Exception):
    """A refused command. Nothing was written.

    `field` names the input at fault ("" where no single one is), `code` is for programs, `message` is for people.
    """

    code = "INVALID"
    field = ""

    def __init__(self, message: str, *, field: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = self.field if field is None else field
        self.code = self.code if code is None else code

    @property
    def parts(self) -> tuple[DomainError, ...]:
        """The faults one by one: this one, unless it collects several."""
        return (self,)


class AccountError(DomainError):
    """A refused command of this app."""


class SignInFirst(AccountError):
    """A visitor's command, whatever it names: that needs somebody who is signed in."""

    code = "SIGN_IN"

    def __init__(self, message: str = "Sign in first.") -> None:
        super().__init__(message)


class InvalidEmail(AccountError):
    code = "INVALID_EMAIL"
    field = "email"


class InvalidLink(AccountError):
    """A sign-in link that was used, has expired or never existed. One error for all three: it tells nothing about
    accounts.
    """

    code = "INVALID_LINK"
    field = "token"

    def __init__(self, message: str = "This sign-in link no longer works. Ask for a new one.") -> None:
        super().__init__(message)


class InvalidCode(AccountError):
    """A code that is wrong, was used, has expired or never existed."""

    code = "INVALID_CODE"
    field = "code"


class AddressTaken(AccountError):
    code = "ADDRESS_TAKEN"
    field = "email"


class DemoAccount(AccountError):
    """An account that everybody may sign in to, so nobody may take it from the others."""

    code = "DEMO_ACCOUNT"


class MailNotSent(AccountError):
    code = "MAIL_NOT_SENT"
    field = "email"


class TooManyRequests(AccountError):
    """A request beyond a limit. It may be sent again after `wait` seconds."""

    code = "TOO_MANY_REQUESTS"

    def __init__(self, message: str, *, wait: int = 1) -> None:
        super().__init__(message)
        self.wait = wait


class NotADemoAccount(AccountError):
    code = "NOT_A_DEMO_ACCOUNT"
    field = "handle"


class InvalidName(AccountError):
    code = "INVALID_NAME"
    field = "name"


class InvalidHandle(AccountError):
    code = "INVALID_HANDLE"
    field = "handle"


class HandleTaken(AccountError):
    code = "HANDLE_TAKEN"
    field = "handle"


class TooManyTokens(AccountError):
    code = "TOO_MANY_TOKENS"


class NotYourToken(AccountError):
    """A token that belongs to somebody else or does not exist. One error for both."""

    code = "NOT_YOUR_TOKEN"
    field = "id"


class InvalidToken(AccountError):
    """A bearer token that is unknown, revoked, or of a closed account."""

    code = "INVALID_TOKEN"

    def __init__(self, message: str = "This API token is not valid.") -> None:
        super().__init__(message)


class InvalidPasskey(AccountError):
    """A passkey, new or old, that proves nothing. One error for all reasons: it tells nothing about accounts."""

    code = "INVALID_PASSKEY"


class TooManyPasskeys(AccountError):
    code = "TOO_MANY_PASSKEYS"


class NotYourPasskey(AccountError):
    """A passkey that belongs to somebody else or does not exist. One error for both."""

    code = "NOT_YOUR_PASSKEY"
    field = "id"


class ProviderRefused(AccountError):
    """A provider of OpenID Connect that does not answer, or whose answer does not sign anybody in."""

    code = "PROVIDER_REFUSED"
