"""What goes out: requests, checked and adapted to what MiMo takes."""
