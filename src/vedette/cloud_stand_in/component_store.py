"""Component versions: checked when they are made, never changed afterwards."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

import yaml

from vedette.cloud_stand_in.errors import ConflictError, NotFoundError, ValidationError
from vedette.nucleus.errors import RecipeError
from vedette.nucleus.recipe import Recipe, Version, VersionRequirement, parse_recipe

Fetch = Callable[[str, str], bytes | None]
"""(bucket, key) -> the object's bytes, or None if it is not there."""

PUBLIC: Final[Mapping[str, str]] = {
    "aws.greengrass.Nucleus": "2.18.2",
    "aws.greengrass.NucleusLite": "2.6.0",
    "aws.greengrass.Cli": "2.18.2",
    "aws.greengrass.SecretManager": "2.2.6",
    "aws.greengrass.ShadowManager": "2.3.12",
    "aws.greengrass.TokenExchangeService": "2.0.3",
    "aws.greengrass.LogManager": "2.3.11",
    "aws.greengrass.Cloudwatch": "3.2.0",
}
"""AWS's own components that devices may run, and their newest version here."""


@dataclass
class ComponentVersion:
    """One published version."""

    arn: str
    recipe: Recipe
    text: Mapping[str, Any]
    """The recipe as it is given out: with the artifacts' digests."""
    created: datetime
    tags: dict[str, str] = field(default_factory=dict)


class ComponentStore:
    """All component versions of one account and region; the caller holds a lock."""

    def __init__(self, region: str, account: str, fetch: Fetch) -> None:
        """Begin with AWS's own components."""
        self._prefix = f"arn:aws:greengrass:{region}"
        self._account = account
        self._fetch = fetch
        self._versions: dict[tuple[str, str, str], ComponentVersion] = {}
        self._tokens: dict[str, str] = {}
        for name, version in PUBLIC.items():
            document = {
                "RecipeFormatVersion": "2020-01-25",
                "ComponentName": name,
                "ComponentVersion": version,
                "ComponentPublisher": "AWS",
                "Manifests": [{"Platform": {"os": "linux"}}],
            }
            self._add("aws", parse_recipe(json.dumps(document).encode(), name), document, {})

    def create(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """CreateComponentVersion.

        :raises ValidationError: for a recipe or artifact that is not as it must be
        :raises ConflictError: if the version is there already
        """
        token = arguments.get("clientToken", "")
        if token and token in self._tokens:
            return self._created(self.at(self._tokens[token]))
        if "inlineRecipe" not in arguments:
            raise ValidationError("inlineRecipe is required: lambdaFunction is not emulated")
        data: bytes = arguments["inlineRecipe"]
        try:
            recipe = parse_recipe(data, "recipe")
        except RecipeError as error:
            raise ValidationError(f"The component recipe is invalid: {'; '.join(error.findings)}") from error
        document = json.loads(data) if data.lstrip().startswith(b"{") else yaml.safe_load(data)
        if recipe.component_name.lower().startswith("aws."):
            raise ValidationError(f"The component name {recipe.component_name} is reserved")
        if not recipe.manifests:
            raise ValidationError("The component recipe has no Manifests")
        if (self._account, recipe.component_name, recipe.component_version) in self._versions:
            raise ConflictError(
                f"Component [{recipe.component_name} : {recipe.component_version}] for account [{self._account}] "
                "already exists with state: [DEPLOYABLE]"
            )
        made = self._add(self._account, recipe, self._with_digests(document, recipe), dict(arguments.get("tags") or {}))
        if token:
            self._tokens[token] = made.arn
        return self._created(made)

    def _add(self, owner: str, recipe: Recipe, text: Mapping[str, Any], tags: dict[str, str]) -> ComponentVersion:
        name, version = recipe.component_name, recipe.component_version
        arn = f"{self._prefix}:{owner}:components:{name}:versions:{version}"
        made = ComponentVersion(arn, recipe, text, datetime.now(timezone.utc), tags)
        self._versions[owner, name, version] = made
        return made

    def _with_digests(self, document: Mapping[str, Any], recipe: Recipe) -> Mapping[str, Any]:
        digests = {}
        for manifest in recipe.manifests:
            for artifact in manifest.artifacts:
                if not artifact.uri.startswith("s3://"):
                    continue
                bucket, _, key = artifact.uri.removeprefix("s3://").partition("/")
                data = self._fetch(bucket, key)
                if data is None:
                    raise ValidationError(
                        f"Cannot access S3 artifact {artifact.uri}: it does not exist, or access to it is denied"
                    )
                digests[artifact.uri] = hashlib.sha256(data).digest()
        found: Mapping[str, Any] = _digested(document, digests)
        return found

    @staticmethod
    def _created(made: ComponentVersion) -> dict[str, Any]:
        return {
            "arn": made.arn,
            "componentName": made.recipe.component_name,
            "componentVersion": made.recipe.component_version,
            "creationTimestamp": made.created,
            "status": {"componentState": "REQUESTED", "message": "NONE", "errors": {}},
        }

    def describe(self, arn: str) -> dict[str, Any]:
        """DescribeComponent."""
        made = self.at(arn)
        return {
            "arn": made.arn,
            "componentName": made.recipe.component_name,
            "componentVersion": made.recipe.component_version,
            "creationTimestamp": made.created,
            "publisher": made.recipe.component_publisher,
            "description": made.recipe.component_description,
            "status": {"componentState": "DEPLOYABLE", "message": "NONE", "errors": {}},
            "platforms": [{"attributes": dict(manifest.platform)} for manifest in made.recipe.manifests],
            "tags": made.tags,
        }

    def get(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """GetComponent."""
        made, form = self.at(arguments["arn"]), arguments.get("recipeOutputFormat", "JSON")
        text = json.dumps(made.text) if form == "JSON" else yaml.safe_dump(dict(made.text), sort_keys=False)
        return {"recipeOutputFormat": form, "recipe": text.encode(), "tags": made.tags}

    def delete(self, arn: str) -> dict[str, Any]:
        """DeleteComponent."""
        made = self.at(arn)
        self._versions = {key: value for key, value in self._versions.items() if value is not made}
        self._tokens = {token: known for token, known in self._tokens.items() if known != arn}
        return {}

    def list_components(self, scope: str) -> list[dict[str, Any]]:
        """Return the items of ListComponents."""
        owner = "aws" if scope == "PUBLIC" else self._account
        names = sorted({name for who, name, _ in self._versions if who == owner})
        items = []
        for name in names:
            newest = self.versions(name, owner)[0]
            items.append(
                {
                    "arn": f"{self._prefix}:{owner}:components:{name}",
                    "componentName": name,
                    "latestVersion": {
                        "arn": newest.arn,
                        "componentVersion": newest.recipe.component_version,
                        "creationTimestamp": newest.created,
                    },
                }
            )
        return items

    def list_versions(self, arn: str) -> list[dict[str, Any]]:
        """Return the items of ListComponentVersions; none for a name that nobody knows."""
        owner, name = arn.split(":")[4], arn.split(":")[6]
        return [
            {"componentName": name, "componentVersion": made.recipe.component_version, "arn": made.arn}
            for made in self.versions(name, owner)
        ]

    def versions(self, name: str, owner: str | None = None) -> list[ComponentVersion]:
        """Return every version of a component, newest first; without ``owner``, AWS's and the account's."""
        found = [made for (who, known, _), made in self._versions.items() if known == name and owner in {None, who}]
        return sorted(found, key=lambda made: made.recipe.version, reverse=True)

    def at(self, arn: str) -> ComponentVersion:
        """Return a version.

        :raises NotFoundError: if it is not there
        """
        for made in self._versions.values():
            if made.arn == arn:
                return made
        raise NotFoundError(f"The component {arn} is not found")

    def fitting(self, name: str, requirement: str) -> Sequence[str]:
        """Return the versions of ``name`` that satisfy a requirement."""
        wanted = VersionRequirement.parse(requirement)
        return [
            made.recipe.component_version
            for made in self.versions(name)
            if wanted.allows(Version.parse(made.recipe.component_version))
        ]


def _digested(document: Any, digests: Mapping[str, bytes]) -> Any:
    """Return the recipe with ``Digest`` and ``Algorithm`` beside each artifact; what the user wrote there goes."""
    if isinstance(document, list):
        return [_digested(item, digests) for item in document]
    if not isinstance(document, dict):
        return document if isinstance(document, (str, int, float, bool, type(None))) else str(document)
    uri = next((str(value) for key, value in document.items() if key.lower() == "uri"), "")
    content = {
        key: _digested(value, digests)
        for key, value in document.items()
        if uri not in digests or key.lower() not in {"digest", "algorithm"}
    }
    if uri in digests:
        content |= {"Digest": base64.b64encode(digests[uri]).decode(), "Algorithm": "SHA-256"}
    return content
