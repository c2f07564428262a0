"""``python -m barnhand_desktop``."""

import sys

from barnhand_desktop.cli import main

sys.exit(main())
