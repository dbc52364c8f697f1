"""Arguments of the commands in the manner of ``greengrass-cli``.

They are nucleus, component, deployment, pubsub, shadow and secret; they work on any running nucleus of this user, also
on that of ``vedette run``.
"""

from pathlib import Path
from typing import Annotated

import typer

from vedette.cli.options import JsonFlag

Root = Annotated[
    Path | None, typer.Option("--root", metavar="DIR", help="Root folder of the nucleus; default: the one that runs.")
]
Component = Annotated[str, typer.Argument(metavar="NAME", help="Name of a component.")]
Thing = Annotated[str | None, typer.Option(metavar="THING", help="Name of the thing; default: the nucleus's own.")]
Shadow = Annotated[str, typer.Option("--name", metavar="SHADOW", help="Name of the shadow; default: the classic one.")]


def _group(help_text: str) -> typer.Typer:
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=help_text)


nucleus_app = _group("A local Greengrass nucleus, for any component.")
component_app = _group("Components of a running nucleus.")
deployment_app = _group("What a running nucleus runs, and changes of it.")
pubsub_app = _group("Local publish/subscribe of a running nucleus.")
shadow_app = _group("Device shadows of a running nucleus.")
secret_app = _group("Secrets that a running nucleus gives to components.")


def register(app: typer.Typer) -> None:
    """Add the groups of commands to ``app``."""
    app.add_typer(nucleus_app, name="nucleus")
    app.add_typer(component_app, name="component")
    app.add_typer(deployment_app, name="deployment")
    app.add_typer(pubsub_app, name="pubsub")
    app.add_typer(shadow_app, name="shadow")
    app.add_typer(secret_app, name="secret")


@nucleus_app.command("start")
def nucleus_start(  # noqa: PLR0917 -- typer reads the options off the signature
    root: Annotated[
        Path | None,
        typer.Option(
            "--root", metavar="DIR", help="Folder that keeps everything; default: ~/.local/state/vedette/nucleus."
        ),
    ] = None,
    nucleus: Annotated[str, typer.Option(metavar="java|lite", help="Which of AWS's nuclei to behave as.")] = "java",
    detach: Annotated[bool, typer.Option("--detach", help="Leave it running in the background.")] = False,
    thing: Annotated[str, typer.Option(metavar="NAME", help="Name of the thing that this machine is.")] = "local",
    region: Annotated[str, typer.Option(metavar="REGION", help="AWS region that components are told.")] = "us-east-1",
    iot: Annotated[
        str | None,
        typer.Option("--iot", metavar="HOST[:PORT]", help="Connect to AWS IoT Core; default: a loop-back here."),
    ] = None,
    iot_cert: Annotated[
        Path | None, typer.Option("--iot-cert", metavar="FILE", help="The thing's certificate.")
    ] = None,
    iot_key: Annotated[Path | None, typer.Option("--iot-key", metavar="FILE", help="Its private key.")] = None,
    iot_ca: Annotated[
        Path | None, typer.Option("--iot-ca", metavar="FILE", help="Authorities to trust; default: the system's.")
    ] = None,
    sync_shadow: Annotated[
        list[str] | None,
        typer.Option(
            "--sync-shadow", metavar="NAME", help="Shadow to keep equal with AWS's; `classic` is the unnamed one."
        ),
    ] = None,
    credentials_of: Annotated[
        str | None,
        typer.Option(
            "--credentials-of",
            metavar="PROFILE",
            help="AWS profile whose short-lived credentials components get that depend on TokenExchangeService.",
        ),
    ] = None,
) -> None:
    """Start a nucleus; what ran before on its root runs again.

    vedette nucleus start --detach

    vedette nucleus start --root ./greengrass --nucleus lite

    vedette nucleus start --thing front --iot ENDPOINT --iot-cert front.pem --iot-key front.key --sync-shadow cfg

    vedette nucleus start --credentials-of dev
    """
    from vedette.cli.nucleus import IotOptions, StartOptions, start
    from vedette.cli.terminal import Terminal

    options = StartOptions(
        root=root,
        personality=nucleus,
        thing=thing,
        region=region,
        iot=IotOptions(iot, iot_cert, iot_key, iot_ca, tuple(sync_shadow or ())),
        credentials_of=credentials_of,
    )
    raise typer.Exit(start(Terminal(), options, detach=detach))


@nucleus_app.command("stop")
def nucleus_stop(root: Root = None) -> None:
    """Stop a nucleus and everything that it runs.

    vedette nucleus stop

    vedette nucleus stop --root ./greengrass
    """
    from vedette.cli.nucleus import stop
    from vedette.cli.terminal import Terminal

    raise typer.Exit(stop(Terminal(), root=root))


@nucleus_app.command("status")
def nucleus_status(root: Root = None, as_json: JsonFlag = False) -> None:
    """Show what a nucleus is, who is connected and what it runs.

    vedette nucleus status

    vedette nucleus status --json
    """
    from vedette.cli.nucleus import status
    from vedette.cli.terminal import Terminal

    raise typer.Exit(status(Terminal(), root=root, as_json=as_json))


@component_app.command("list")
def component_list(root: Root = None, as_json: JsonFlag = False) -> None:
    """List the components with their states.

    vedette component list

    vedette component list --json
    """
    from vedette.cli.component import list_components

    raise typer.Exit(list_components(root=root, as_json=as_json))


@component_app.command("details")
def component_details(name: Component, root: Root = None, as_json: JsonFlag = False) -> None:
    """Show one component and its configuration.

    vedette component details com.example.Hello

    vedette component details com.example.Hello --json
    """
    from vedette.cli.component import show_details

    raise typer.Exit(show_details(name, root=root, as_json=as_json))


@component_app.command("restart")
def component_restart(name: Component, root: Root = None, as_json: JsonFlag = False) -> None:
    """Restart a component, and those that HARD depend on it.

    vedette component restart com.example.Hello
    """
    from vedette.cli.component import change
    from vedette.cli.terminal import Terminal

    raise typer.Exit(change(name, "restart", Terminal(), root=root, as_json=as_json))


@component_app.command("stop")
def component_stop(name: Component, root: Root = None, as_json: JsonFlag = False) -> None:
    """Stop a component until it is restarted or deployed again.

    vedette component stop com.example.Hello
    """
    from vedette.cli.component import change
    from vedette.cli.terminal import Terminal

    raise typer.Exit(change(name, "stop", Terminal(), root=root, as_json=as_json))


@component_app.command("logs")
def component_logs(
    name: Component,
    root: Root = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="Newest lines.")] = 20,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is added, until Ctrl-C.")] = False,
) -> None:
    """Show what a component wrote.

    vedette component logs com.example.Hello -f
    """
    from vedette.cli.component import show_log

    raise typer.Exit(show_log(name, root=root, lines=lines, follow=follow))


@deployment_app.command("create")
def deployment_create(  # noqa: PLR0917 -- typer reads the options off the signature
    recipe_dir: Annotated[
        Path | None, typer.Option("--recipe-dir", metavar="DIR", help="Folder of recipes to take into the store.")
    ] = None,
    artifact_dir: Annotated[
        Path | None,
        typer.Option("--artifact-dir", metavar="DIR", help="Folder of artifacts: NAME/VERSION/file."),
    ] = None,
    merge: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=VERSION]", help="Component to run; may be given several times."),
    ] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Component to run no more.")] = None,
    update_config: Annotated[
        str | None,
        typer.Option(metavar="JSON|@FILE", help='Configuration: {"NAME": {"MERGE": {...}, "RESET": ["/key"]}}.'),
    ] = None,
    document: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Deployment document: a device's, or the input of CreateDeployment."),
    ] = None,
    group: Annotated[str, typer.Option(metavar="NAME", help="Thing group that the deployment is for.")] = "",
    run_with: Annotated[
        list[str] | None,
        typer.Option("--run-with", metavar="NAME:posixUser=USER[:GROUP]", help="User that a component runs as."),
    ] = None,
    system_limits: Annotated[
        str | None,
        typer.Option(metavar="JSON|@FILE", help='Limits: {"NAME": {"memory": 512000, "cpus": 1.5}}; memory in kB.'),
    ] = None,
    on_failure: Annotated[
        str, typer.Option(metavar="rollback|keep", help="What runs after a deployment that failed.")
    ] = "rollback",
    notify: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="Ask components first, for so long at most.")
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return as soon as it is queued.")] = False,
    root: Root = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what runs, and wait until it is up; what fails is rolled back.

    vedette deployment create --recipe-dir recipes --artifact-dir artifacts --merge com.example.Hello=1.0.0

    vedette deployment create --update-config '{"com.example.Hello": {"MERGE": {"name": "you"}}}'

    vedette deployment create --document deployment.json --update-config @of-this-machine.json
    """
    from vedette.cli.deployment import CreateOptions, create
    from vedette.cli.terminal import Terminal

    options = CreateOptions(
        recipe_dir=recipe_dir,
        artifact_dir=artifact_dir,
        merge=tuple(merge or ()),
        remove=tuple(remove or ()),
        update_config=update_config,
        document=document,
        run_with=tuple(run_with or ()),
        system_limits=system_limits,
        group=group,
        on_failure=on_failure,
        notify_s=notify,
        wait=not no_wait,
        as_json=as_json,
        root=root,
    )
    raise typer.Exit(create(options, Terminal()))


@deployment_app.command("status")
def deployment_status(
    deployment_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Its id, or how that begins; default: the newest.")
    ] = None,
    root: Root = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what became of a deployment.

    vedette deployment status

    vedette deployment status 5f0c2a91 --json
    """
    from vedette.cli.deployment import show_status

    raise typer.Exit(show_status(deployment_id, root=root, as_json=as_json))


@deployment_app.command("list")
def deployment_list(root: Root = None, as_json: JsonFlag = False) -> None:
    """List local deployments.

    vedette deployment list
    """
    from vedette.cli.deployment import list_deployments

    raise typer.Exit(list_deployments(root=root, as_json=as_json))


@deployment_app.command("cancel")
def deployment_cancel(
    deployment_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.")],
    root: Root = None,
    as_json: JsonFlag = False,
) -> None:
    """Cancel a deployment that has not changed anything yet.

    vedette deployment cancel 5f0c2a91
    """
    from vedette.cli.deployment import cancel
    from vedette.cli.terminal import Terminal

    raise typer.Exit(cancel(deployment_id, Terminal(), root=root, as_json=as_json))


@pubsub_app.command("sub")
def pubsub_sub(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Topic or filter: + is one level, # all below.")],
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="Stop after so many messages.")] = None,
    root: Root = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line for each message.")] = False,
) -> None:
    """Show the messages of a topic, until Ctrl-C.

    vedette pubsub sub 'my/#'

    vedette pubsub sub my/topic --count 1 --json
    """
    from vedette.cli.pubsub import subscribe

    raise typer.Exit(subscribe(topic, root=root, count=count, as_json=as_json))


@pubsub_app.command("pub")
def pubsub_pub(
    topic: Annotated[str, typer.Argument(metavar="TOPIC")],
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="Text; - reads standard input.")],
    root: Root = None,
    as_json: JsonFlag = False,
) -> None:
    """Publish a message.

    vedette pubsub pub my/topic '{"hello": "world"}'

    vedette pubsub pub my/topic - < picture.jpg
    """
    from vedette.cli.pubsub import publish
    from vedette.cli.terminal import Terminal

    raise typer.Exit(publish(topic, message, Terminal(), root=root, as_json=as_json))


@shadow_app.command("get")
def shadow_get(thing: Thing = None, name: Shadow = "", root: Root = None, as_json: JsonFlag = False) -> None:
    """Show a shadow.

    vedette shadow get

    vedette shadow get --thing local --name settings
    """
    from vedette.cli.shadow import get

    raise typer.Exit(get(root=root, thing=thing, name=name, as_json=as_json))


@shadow_app.command("set")
def shadow_set(
    state: Annotated[str, typer.Argument(metavar="JSON", help='State to merge, or a whole update with "state".')],
    thing: Thing = None,
    name: Shadow = "",
    section: Annotated[str, typer.Option(metavar="desired|reported", help="Section to change.")] = "desired",
    root: Root = None,
    as_json: JsonFlag = False,
) -> None:
    """Change a shadow; null takes a key away.

    vedette shadow set '{"fps": 5}'

    vedette shadow set '{"fps": null}' --name settings
    """
    from vedette.cli.shadow import update
    from vedette.cli.terminal import Terminal

    raise typer.Exit(update(state, Terminal(), root=root, thing=thing, name=name, section=section, as_json=as_json))


@secret_app.command("set")
def secret_set(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    root: Root = None,
    as_json: JsonFlag = False,
) -> None:
    """Keep a secret; its value is asked for, or read from standard input.

    vedette secret set my/password

    vedette secret set my/password < file
    """
    from vedette.cli.secret import set_value
    from vedette.cli.terminal import Terminal

    raise typer.Exit(set_value(name, Terminal(), root=root, as_json=as_json))


@secret_app.command("list")
def secret_list(root: Root = None, as_json: JsonFlag = False) -> None:
    """List the secrets' names, never their values.

    vedette secret list
    """
    from vedette.cli.secret import list_names

    raise typer.Exit(list_names(root=root, as_json=as_json))
