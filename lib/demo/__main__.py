"""What `python -m lib.demo` runs."""

from lib.demo.demo_data import main

if __name__ == "__main__":
    main()
