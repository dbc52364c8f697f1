"""Greengrass's cloud service in one process, for tests and for trying commands without an account.

It validates as the service does: requests against AWS's own service model, recipes, artifacts in S3 with their digests,
versions that never change, revisions of a target. To what it does not have it answers 501, instead of inventing. Jobs
and provisioning templates of AWS IoT are here too; everything else of AWS IoT is handed on to another stand-in, such
as moto, which also stands in for the other services. Needs ``vedette[aws]``.
"""

from vedette.cloud_stand_in.server import StandIn

__all__ = ["StandIn"]
