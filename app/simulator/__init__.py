"""A stand-in for Schwab's servers: authorize page, token endpoint, REST and streamer on one port.

It knows the wire of Schwab's Trader API and a market of its own; it knows nothing of this project's feed, cache or page,
so that whoever talks to it could be anybody's client. docs/simulator.md is its manual.
"""

# What a simulator started without --app-key, --app-secret and --callback-url answers to.
APP_KEY = "SimulatorAppKey0123456789abcdefg"
APP_SECRET = "SimulatorSecret1"  # noqa: S105 - a documented default of a simulator, no secret
CALLBACK_URL = "https://127.0.0.1:8182"
