"""Programs that maintain this repository; the Makefile runs them. They are not installed."""
