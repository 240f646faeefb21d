"""``python -m elfaudit``."""

from .cli import main

if __name__ == "__main__":
    main()
