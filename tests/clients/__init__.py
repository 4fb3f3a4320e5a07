"""Programs that use Schwab's API through other people's libraries, each run by a test in a process of its own."""
