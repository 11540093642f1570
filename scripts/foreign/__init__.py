"""Other people's servers of MiMo, started on loopback for `tests/foreign` (`make foreign`)."""
