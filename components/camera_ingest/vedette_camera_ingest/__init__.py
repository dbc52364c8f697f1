"""vedette.CameraIngest: reads cameras and video files into rings, one supervised worker process for each.

The main process (``__main__``, ``ingest``, ``supervisor``) listens to demands, fetches credentials, keeps workers alive
and publishes statuses; it loads neither PyAV nor numpy. A worker (``worker``, ``capture``) holds one camera: it asks
what the camera offers, plays the stream, decodes it and leases I420 frames to whoever reads the ring.
"""
