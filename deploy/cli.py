"""The command line: `parcelcover --help`."""

import asyncio
import gc
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from libs.common.migrate import SERVICES

if TYPE_CHECKING:
    from services.policy.tracking import Provider

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # A traceback is read in a log, where boxes and local variables are in the way.
    pretty_exceptions_enable=False,
    help="Parcel insurance that you run.",
)
plans = typer.Typer(no_args_is_help=True, help="Plan files and their worked examples.")
app.add_typer(plans, name="plans")
deadletters = typer.Typer(
    no_args_is_help=True, help="Events a service could not handle; its own environment is read."
)
app.add_typer(deadletters, name="deadletters")

batch = typer.Typer(no_args_is_help=True, help="Many parcels in one file.")
app.add_typer(batch, name="batch")

carriers = typer.Typer(
    no_args_is_help=True, help="What carriers and aggregators post, tried out from here."
)
app.add_typer(carriers, name="carriers")

tracking = typer.Typer(no_args_is_help=True, help="What carriers said of parcels.")
app.add_typer(tracking, name="tracking")

claims = typer.Typer(no_args_is_help=True, help="What was decided of claims.")
app.add_typer(claims, name="claims")

FOLDER = Path(".parcelcover")
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")],
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option()] = 8080,
) -> None:
    """Run one service. What it is told comes from the environment (see .env.example)."""
    import importlib

    import uvicorn

    from libs.common.telemetry import configure_logging

    configure_logging(_known(service))
    module = importlib.import_module(f"services.{service}.app")
    application = module.create_app()
    # What start-up made lives as long as the process: full collections of it were the slowest
    # requests by far (p99 61 ms, 27 ms without them), and freed nothing.
    gc.collect()
    gc.freeze()
    # And without them a full collection comes after every quarter more of what is left: with the
    # usual threshold of 700 the collector took a seventh of a quote's CPU.
    gc.set_threshold(10_000, 10, 10)
    uvicorn.run(
        application,
        host=host,
        port=port,
        # The door writes its own access line, and telemetry sets the logging up.
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=10,
        server_header=False,
    )


@app.command()
def migrate(
    admin_url: Annotated[
        str,
        typer.Argument(
            envvar="PARCELCOVER_ADMIN_URL", help="The administrator's database URL."
        ),
    ],
    service: Annotated[list[str] | None, typer.Option(help="Only these services.")] = None,
) -> None:
    """Bring the services' schemas and roles up to date."""
    from libs.common.migrate import migrate as run

    ran = asyncio.run(run(admin_url, service or SERVICES))
    for name in ran:
        typer.echo(f"ran {name}")
    typer.echo(f"{len(ran)} migrations ran; the schemas are up to date.")


@app.command()
def up(
    folder: Annotated[Path, typer.Option(help="Where the stack keeps its data.")] = FOLDER,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what it kept.")] = False,
) -> None:
    """Run everything on this machine until Ctrl-C: PostgreSQL, Kafka, the four services."""
    from deploy.local.stack import keep_up

    raise typer.Exit(asyncio.run(keep_up(folder, fresh=fresh)))


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the stack keeps its data.")] = FOLDER,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what it kept.")] = False,
) -> None:
    """Show insured parcels' whole way, through the public APIs, on a stack of its own."""
    from deploy.local.demo import run

    raise typer.Exit(asyncio.run(run(folder, fresh=fresh)))


@app.command()
def token(
    tenant: Annotated[str, typer.Argument(help="The tenant, such as sbx-cssbuy-me.")],
    scope: Annotated[list[str] | None, typer.Option(help="Only these scopes.")] = None,
    folder: Annotated[
        Path, typer.Option(help="Where the local stack keeps its data.")
    ] = FOLDER,
) -> None:
    """Print a bearer token of the local issuer."""
    from deploy.local import keys
    from libs.common.auth import SCOPES

    typer.echo(keys.issue_token(folder / "keys", tenant=tenant, scopes=scope or SCOPES))


@app.command()
def events() -> None:
    """Print the AsyncAPI document of what the services say on the bus."""
    from deploy import asyncapi

    typer.echo(asyncapi.text(), nl=False)


@app.command()
def statement(
    month: Annotated[str, typer.Option(help="A calendar month in UTC, such as 2024-05.")],
    token: Annotated[
        str | None, typer.Option(envvar="PARCELCOVER_TOKEN", help="A caller's bearer token.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Instead: one of the local issuer, for this tenant.")
    ] = None,
    policy: Annotated[str, typer.Option(help="The policy service.")] = "http://127.0.0.1:8102",
    claims: Annotated[str, typer.Option(help="The claims service.")] = "http://127.0.0.1:8103",
    folder: Annotated[
        Path, typer.Option(help="Where the local stack keeps its data.")
    ] = FOLDER,
) -> None:
    """Show a month of the books, premiums and claims in one; exit 1 when they do not sum to zero."""
    from rich.console import Console

    from deploy import statements
    from libs.common.auth import CLAIMS_READ, POLICIES_READ

    known = _token(token, tenant, folder, (POLICIES_READ, CLAIMS_READ))
    console = Console(highlight=False, soft_wrap=True)
    urls = {"policy": policy, "claims": claims}
    raise typer.Exit(statements.show_month(month, urls, known, console))


@plans.command("check")
def check_plans(
    files: Annotated[list[Path], typer.Argument(help="Files of worked examples.")],
    plan: Annotated[Path | None, typer.Option(help="An author's own plan file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a case.")] = False,
) -> None:
    """Run worked examples against the plans; exit 1 when any fails."""
    from deploy.plans_check import run

    raise typer.Exit(run(files, plan, as_json))


@batch.command("upload")
def upload_batch(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV, or JSON lines (.ndjson).")
    ],
    to: Annotated[str, typer.Option(help="The policy service.")] = "http://127.0.0.1:8102",
    token: Annotated[
        str | None, typer.Option(envvar="PARCELCOVER_TOKEN", help="A caller's bearer token.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Instead: one of the local issuer, for this tenant.")
    ] = None,
    plan: Annotated[str | None, typer.Option(help="For rows that name none.")] = None,
    point: Annotated[str | None, typer.Option(help="For rows that name none.")] = None,
    name: Annotated[str | None, typer.Option(help="The batch's; else the file's.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Not the batch that this file was before.")
    ] = False,
    folder: Annotated[
        Path, typer.Option(help="Where the local stack keeps its data.")
    ] = FOLDER,
) -> None:
    """Insure a file of parcels, and write FILE.answers.csv; exit 1 when rows were refused."""
    from rich.console import Console

    from deploy import batches
    from libs.common.auth import PAYMENTS_WRITE, POLICIES_READ, POLICIES_WRITE

    token = _token(token, tenant, folder, (POLICIES_WRITE, POLICIES_READ, PAYMENTS_WRITE))
    params = {"plan": plan, "point": point, "name": name or file.name}
    said = {name: value for name, value in params.items() if value is not None}
    console = Console(highlight=False, soft_wrap=True)
    raise typer.Exit(batches.upload(file, to, token, said, again=again, console=console))


ProviderName = Annotated[str, typer.Option(help="As `carriers list` names it.")]
Posts = Annotated[
    Path,
    typer.Argument(
        exists=True,
        help="A .json or .xml file is a post, so is each line of an .ndjson; or a folder of such.",
    ),
]


@carriers.command("list")
def list_carriers() -> None:
    """Who may post, and how each proves itself."""
    from rich.console import Console

    from deploy.carriers import show_providers

    show_providers(Console(highlight=False))


@carriers.command("read")
def read_carriers_posts(
    file: Posts,
    provider: ProviderName,
    own_map: Annotated[
        Path | None,
        typer.Option("--map", exists=True, dir_okay=False, help="Rows of your own (CSV)."),
    ] = None,
) -> None:
    """Show what posts read to, one history a parcel; exit 1 when a post or code says nothing to us."""
    from rich.console import Console

    from deploy.carriers import NoPosts, posts_of, show_history
    from services.policy.tracking import BadStatusMap, StatusMap

    known = _provider(provider)
    console = Console(highlight=False, soft_wrap=True)
    try:
        posts, codes = posts_of(file), StatusMap.load(own_map)
    except (NoPosts, BadStatusMap) as wrong:
        console.print(str(wrong), markup=False)
        raise typer.Exit(2) from None
    raise typer.Exit(show_history(known, posts, codes, console))


@carriers.command("replay")
def replay_carriers_posts(
    file: Posts,
    provider: ProviderName,
    tenant: Annotated[str, typer.Option(help="Whose hook it is.")],
    to: Annotated[str, typer.Option(help="The policy service.")] = "http://127.0.0.1:8102",
    secret: Annotated[
        str | None,
        typer.Option(envvar="PARCELCOVER_CARRIER_SECRET", help="The hook's, to sign with."),
    ] = None,
    scheme: Annotated[str | None, typer.Option(help="Else the provider's usual one.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Posts a second; else as fast as it goes.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often each is posted.")] = 1,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="In disorder.")] = False,
    seed: Annotated[int | None, typer.Option(help="The same disorder again.")] = None,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that a service which is away is waited for.")
    ] = 120,
    opens_hook: Annotated[
        bool,
        typer.Option("--open-hook", help="Open the hook first, or give it a new secret."),
    ] = False,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="PARCELCOVER_TOKEN",
            help="A caller's bearer token, to open the hook with; else one of the local issuer.",
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="Where the local stack keeps its data.")
    ] = FOLDER,
) -> None:
    """Sign posts and send them as their provider would; exit 1 when some were refused."""
    from rich.console import Console

    from deploy.carriers import Hook, Replay, replay
    from deploy.local import keys
    from libs.common.auth import HOOKS_WRITE

    known = _provider(provider)
    if scheme is not None and scheme not in known.schemes:
        raise typer.BadParameter(f"{scheme!r} is none of {', '.join(known.schemes)}.")
    if not secret and not opens_hook:
        raise typer.BadParameter("Say --secret SECRET, or --open-hook.")
    if opens_hook and token is None:
        token = keys.issue_token(folder / "keys", tenant=tenant, scopes=(HOOKS_WRITE,))
    hook = Hook(provider=known, tenant=tenant, to=to, scheme=scheme, secret=secret)
    how = Replay(
        rate=rate, repeat=repeat, is_shuffled=shuffle, seed=seed, patience_seconds=patience
    )
    console = Console(highlight=False, soft_wrap=True)
    opener = token if opens_hook else None
    raise typer.Exit(replay(file, hook, how, console, token=opener))


@tracking.command("verify")
def verify_tracking(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="A snapshot, as it was answered."),
    ],
    jwks: Annotated[
        str, typer.Option(help="The services' public keys: a JWKS file or its URL.")
    ] = str(FOLDER / "keys" / "services.jwks.json"),
) -> None:
    """Check a tracking snapshot's hash and signature; exit 1 when a byte was changed."""
    from rich.console import Console

    from deploy import snapshots

    console = Console(highlight=False, soft_wrap=True)
    raise typer.Exit(snapshots.verify(file, jwks, console=console))


@claims.command("replay")
def replay_claims(
    plan: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Another version of a plan; else each its own."
        ),
    ] = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(help="Only these; else all of tenants.yaml. Sandboxes are named."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=TIMES, help="Decided from this day or instant on."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=TIMES, help="Decided before this one.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many, the oldest first.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also proposals that waited for a person.")
    ] = False,
    show: Annotated[int, typer.Option(min=0, help="How many of the largest changes.")] = 10,
    answers: Annotated[
        Path | None,
        typer.Option("--json", dir_okay=False, help="All changes, one JSON object a line."),
    ] = None,
) -> None:
    """Decide past claims again from their stored facts; nothing is touched.

    Under its own plan each comes out as it was: exit 1 when one does not. Under another version
    (--plan) it shows what that version would change. The claims service's environment is read.
    """
    from rich.console import Console

    from deploy.claims_replay import Replay, run

    how = Replay(
        tenants=tenant or (),
        plan=plan,
        since=_in_utc(since),
        until=_in_utc(until),
        limit=limit,
        proposals=everything,
        show=show,
        answers=answers,
    )
    console = Console(highlight=False, soft_wrap=True)
    raise typer.Exit(asyncio.run(run(how, console)))


def _in_utc(at: datetime | None) -> datetime | None:
    """A day is one of UTC, as the services' times are."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


ServiceName = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]


@deadletters.command("list")
def list_dead_letters(service: ServiceName) -> None:
    """What is parked, oldest first, with its cause; exit 1 when anything is."""
    from deploy.deadletters import show_all

    raise typer.Exit(asyncio.run(show_all(_known(service))))


@deadletters.command("show")
def show_dead_letter(service: ServiceName, letter_id: int) -> None:
    """One letter whole: cause, place and bytes."""
    from deploy.deadletters import show_one

    raise typer.Exit(asyncio.run(show_one(_known(service), letter_id)))


@deadletters.command("replay")
def replay_dead_letters(
    service: ServiceName,
    key: Annotated[str | None, typer.Option(help="Only this key.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every key.")] = False,
) -> None:
    """Redo a key's letters, or all, in order; exit 1 when some still fail."""
    from deploy.deadletters import replay

    if (key is None) != everything:
        raise typer.BadParameter("Say --key KEY, or --all.")
    raise typer.Exit(asyncio.run(replay(_known(service), key)))


def _token(token: str | None, tenant: str | None, folder: Path, scopes: tuple[str, ...]) -> str:
    """The caller's own, or one of the local issuer."""
    from deploy.local import keys

    if (token is None) == (tenant is None):
        raise typer.BadParameter("Say --token TOKEN, or --tenant TENANT.")
    return token or keys.issue_token(folder / "keys", tenant=str(tenant), scopes=scopes)


def _provider(name: str) -> "Provider":
    from services.policy.tracking import PROVIDERS

    if name not in PROVIDERS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(PROVIDERS)}.")
    return PROVIDERS[name]


def _known(service: str) -> str:
    if service not in SERVICES:
        raise typer.BadParameter(f"{service!r} is none of {', '.join(SERVICES)}.")
    return service


def main() -> None:
    app()


if __name__ == "__main__":
    main()
