"""Coded video to Amazon Kinesis Video Streams: what comes as H.264 is sent as it is, never encoded again.

``VideoUpload`` takes coded pictures from any thread, makes fragments of them that begin with key frames, and sends
them by PutMedia on a thread of its own. Whole fragments wait in bounded memory while AWS cannot be reached; the oldest
go first.
No boto3 and no producer SDK: requests are signed by awscrt, which every component has loaded for the bus.
"""
