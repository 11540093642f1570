"""One exchange over HTTP: its requests, retries, errors and connections."""
