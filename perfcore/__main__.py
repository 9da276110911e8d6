"""`python -m perfcore`."""

from perfcore.cli.main import main

if __name__ == "__main__":
    main()
