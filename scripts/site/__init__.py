"""What the documentation site holds that is made from the code, and the hook that puts it there."""
