"""Talks to the world outside: processes, git, disks, clocks."""
