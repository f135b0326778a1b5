"""The platform's routes for logins.

No document names them. These are the ones that the command line expects; a platform that has them elsewhere is
met by changing this file alone. Requests and answers are JSON. The device flow has the field names and errors of
RFC 8628, the refresh those of RFC 6749.
"""

from __future__ import annotations

DEVICE_CODE = "/api/auth/device/code"  # POST: begin to log in by way of a browser
DEVICE_TOKEN = "/api/auth/device/token"  # POST: ask whether that is done
REFRESH = "/api/auth/refresh"  # POST: a new access token for a refresh token
ME = "/api/auth/me"  # GET: who the access token belongs to
HEALTH = "/api/health"  # GET: whether anybody is there; needs no login

CLIENT_ID = "cirron-cli"
