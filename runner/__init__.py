"""The side of Sluice that is installed on the host where bots trade."""
