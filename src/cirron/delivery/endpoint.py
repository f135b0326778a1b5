"""Whether an API key may be sent to an address."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def checked_endpoint(endpoint: str) -> str:
    """The address of a server, without a slash at its end.

    Raises:
        ValueError: it is no http or https URL, has parts that do not belong there, or would have the API key
            travel unencrypted; the message says what is accepted.
    """
    try:
        parts = urlsplit(endpoint.strip())
        fault = _fault(parts)
    except ValueError as error:
        fault = str(error)
    if fault is not None:
        # Not the address itself: what is wrong with it may be a password in it.
        raise ValueError(f"{fault}; accepted is a URL such as https://app.cirron.com")
    return endpoint.strip().rstrip("/")


def is_plain_http(endpoint: str) -> bool:
    """Whether nothing is encrypted on the way there."""
    return urlsplit(endpoint).scheme == "http"


def _fault(parts: SplitResult) -> str | None:
    if parts.scheme not in ("http", "https"):
        return "it is no http or https URL"
    if not parts.hostname or not _is_plain(parts):
        return "it names no host that can be looked up"
    if parts.username is not None or parts.password is not None:
        return "it holds a user name or password"
    if parts.query or parts.fragment:
        return "it has something after a ? or #"
    if not _has_usable_port(parts):
        return "its port is no number from 1 to 65535"
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        return "plain http would send the key unencrypted, and is for this machine (localhost) only"
    return None


def _is_plain(parts: SplitResult) -> bool:
    text = parts.geturl()
    return parts.netloc.isascii() and text.isprintable() and " " not in text


def _has_usable_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:  # its words would show the port, which may be a password without a host
        return False


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def checked_api_key(api_key: str) -> str:
    """A key that an HTTP header can carry, without white space around it.

    Raises:
        ValueError: it cannot be sent as it is; the message does not show it.
    """
    key = api_key.strip()
    if not key or not key.isascii() or any(not "!" <= character <= "~" for character in key):
        raise ValueError(
            "it is empty or holds characters that a header cannot carry; accepted are printable ASCII "
            "characters without spaces"
        )
    return key
