"""`python -m annealing` is the command line."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="annealing")
