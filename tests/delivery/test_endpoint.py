"""Which addresses and keys may be used."""

import pytest

from cirron.delivery.endpoint import checked_api_key, checked_endpoint


@pytest.mark.parametrize(
    ("endpoint", "used"),
    [
        ("https://app.cirron.com", "https://app.cirron.com"),
        (" https://app.cirron.com:8443/tenant/ \n", "https://app.cirron.com:8443/tenant"),
        ("HTTPS://app.cirron.com", "HTTPS://app.cirron.com"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_https_goes_anywhere_and_http_to_this_machine(endpoint, used):
    assert checked_endpoint(endpoint) == used


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        ("app.cirron.com", "no http or https URL"),
        ("ftp://app.cirron.com", "no http or https URL"),
        ("", "no http or https URL"),
        ("https://", "names no host"),
        ("https://ex ample.com", "names no host"),
        ("https://exämple.com", "names no host"),
        ("https://[::1", "Invalid IPv6 URL"),
        ("https://me:hunter2", "port is no number"),
        ("https://host:99999", "port is no number"),
        ("https://host:0", "port is no number"),
        ("https://me:hunter2@host", "user name or password"),
        ("https://host/?token=hunter2", "after a ?"),
        ("https://host/#hunter2", "after a ?"),
        ("http://app.cirron.com", "unencrypted"),
        ("http://192.168.0.7:8000", "unencrypted"),
        ("http://localhost.example.com", "unencrypted"),
    ],
)
def test_other_addresses_are_refused_with_a_reason_and_without_being_shown(endpoint, fault):
    with pytest.raises(ValueError, match=fault.replace("?", r"\?")) as caught:
        checked_endpoint(endpoint)
    assert "hunter2" not in str(caught.value)
    assert "https://app.cirron.com" in str(caught.value)


def test_a_key_loses_the_white_space_around_it():
    assert checked_api_key(" ck_live-123=\n") == "ck_live-123="


@pytest.mark.parametrize("key", ["", "  ", "hunter2\nX-Other: 1", "hunter2 two", "hunter2é", "hunter2\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key):
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        checked_api_key(key)
    assert "hunter2" not in str(caught.value)
