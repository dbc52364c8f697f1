"""Logs to CloudWatch: finds what components and applications write, and sends it to the stream of its node."""
