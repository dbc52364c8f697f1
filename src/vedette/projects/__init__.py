"""Makes and changes Panorama projects on disk: new applications, account ids.

Documents are changed in place, character by character: their formatting stays. Either all of a change is made or
nothing.
"""

from vedette.projects.accounts import PLACEHOLDER_ACCOUNT, ImportPlan, Replacement, plan_import
from vedette.projects.assets import AssetProblem, check_assets
from vedette.projects.changes import ChangeError, FileChange, FolderChange, apply_changes
from vedette.projects.errors import ProjectError
from vedette.projects.skeleton import Skeleton, check_name, create_project, make_skeleton

__all__ = [
    "PLACEHOLDER_ACCOUNT",
    "AssetProblem",
    "ChangeError",
    "FileChange",
    "FolderChange",
    "ImportPlan",
    "ProjectError",
    "Replacement",
    "Skeleton",
    "apply_changes",
    "check_assets",
    "check_name",
    "create_project",
    "make_skeleton",
    "plan_import",
]
