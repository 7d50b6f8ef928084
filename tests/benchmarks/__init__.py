"""Speed against the nearest physical limit, side by side in one process."""
