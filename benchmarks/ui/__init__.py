"""What the page costs and how soon it shows a number, in a real Chromium: `python -m benchmarks.ui [--rows 1,2,...]`."""
