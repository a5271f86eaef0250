import sys

from carcinosis_loc.cli import main

sys.exit(main())
