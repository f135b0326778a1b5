"""`python -m cirron.cli`, for where the `cirron` script is not on the path."""

import sys

from cirron.cli import main

sys.exit(main())
