"""``python -m ecluse``: the same as the command ``ecluse``."""

from ecluse.cli import main

if __name__ == "__main__":
    main()
