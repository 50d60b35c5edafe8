"""`python -m console`: the command line where the script `amtsbruecke` is not on the path."""

from console.cli import main

if __name__ == "__main__":
    main(prog_name="amtsbruecke")
