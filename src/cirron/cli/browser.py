"""Opens a page for the user, where there is a browser with a window of its own."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from urllib.parse import urlsplit


def open_in_browser(url: str) -> None:
    """Try to show a page; whether that works is for the user to see.

    A browser in the terminal would cover the code that is to be confirmed, so without a desktop nothing is opened.
    Neither is anything but http and https, as the address comes from a server.
    """
    if _has_desktop() and _is_web_page(url):
        # In a thread of its own, as some browsers only return when they are closed.
        threading.Thread(target=_open, args=(url,), name="cirron-browser", daemon=True).start()


def _open(url: str) -> None:
    try:
        webbrowser.open(url)
    except (webbrowser.Error, OSError):  # the address is on the screen as well
        return


def _has_desktop() -> bool:
    variables = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform == "darwin" or any(os.environ.get(name) for name in variables)


def _is_web_page(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https") and url.isprintable() and " " not in url
    except ValueError:
        return False
