"""The commands of `python -m app`: each module has add_arguments(parser) and main(args) -> exit code."""
