"""What the running system says about itself: correlation of work, logs, metrics."""
