"""`mimo-cassette`: look at cassettes, compare them, check them, and make pages of them."""
