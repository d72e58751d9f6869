"""The script that a frozen application starts with: a module inside a package cannot be one."""

import sys

from photopipe_gui.__main__ import main

sys.exit(main())
