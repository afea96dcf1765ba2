"""What runs in child processes only: here freqtrade itself is started."""
