"""Whose account the command line works for, and how it reaches the platform."""

from cirron.account.cli_config import (
    API_URL_VARIABLE,
    KEYS,
    CliConfig,
    checked_api_url,
    checked_value,
    checked_variable,
    config_path,
    parsed_value,
)
from cirron.account.client import Client
from cirron.account.errors import AuthenticationInvalid, NotAuthenticated
from cirron.account.login import Login
from cirron.account.session import User, Verified, refreshed, signed_in, verified, whose

__all__ = [
    "API_URL_VARIABLE",
    "KEYS",
    "AuthenticationInvalid",
    "CliConfig",
    "Client",
    "Login",
    "NotAuthenticated",
    "User",
    "Verified",
    "checked_api_url",
    "checked_value",
    "checked_variable",
    "config_path",
    "parsed_value",
    "refreshed",
    "signed_in",
    "verified",
    "whose",
]
