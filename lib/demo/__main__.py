"""Entry point of `python -m lib.demo`."""

from lib.demo.demo_data import main

if __name__ == "__main__":
    main()
