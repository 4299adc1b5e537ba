"""`homebody webshop`: the shop as a website, its built-in catalogue, and what fixes its goals."""

# The mark \b, which keeps click from rewrapping the examples, must be one character: these docstrings cannot be raw.
# ruff: noqa: D301

from __future__ import annotations

from typing import Any

import click

from homebody.scripts.console import Console
from homebody.scripts.json_file import check_target, write_json
from homebody.scripts.options import PATH, SPLIT, Group, json_out, options

shop_parameters = options(
    click.option("--data-dir", type=PATH, metavar="DIR", help="Folder of upstream's files; without it the catalogue is built in."),
    click.option("--catalogue-size", type=int, default=1000, show_default=True, metavar="N", help="Products, at most."),
    click.option("--catalogue-seed", type=int, default=0, show_default=True, metavar="N", help="Of the built-in catalogue."),
    click.option("--price-seed", type=int, default=0, show_default=True, metavar="N", help="Of prices that are a range, and of limits."),
)
goals_parameter = options(
    click.option(
        "--goals", type=click.Choice(["synthetic", "human"]), default="synthetic", show_default=True, help="Who wrote the errands."
    )
)


@click.group(cls=Group, short_help="The shop as a website; its catalogue.")
def webshop() -> None:
    """The shop of homebody/WebShop-v0, for people."""


@webshop.command("serve", short_help="The shop as a website on this machine.")
@shop_parameters
@goals_parameter
@click.option("--split", type=SPLIT, default="test", show_default=True, metavar="S", help="Which tasks: train, validation or test.")
@click.option("--task", "tasks", multiple=True, metavar="ID", help="This task alone. Can be repeated; they come in turn.")
@click.option("--hide-score", is_flag=True, help="Do not show the score after a purchase.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, metavar="N", help="Where; 0 takes a free one.")
def webshop_serve(split: str, tasks: tuple[str, ...], hide_score: bool, port: int, **shop: Any) -> None:
    """Serve the shop as a website on 127.0.0.1, until Ctrl-C. Each visitor who opens it gets the next task.

    The pages are those that an agent reads; there is no script on them, and nothing is fetched from anywhere.

    \b
    Examples:
      homebody webshop serve
      homebody webshop serve --catalogue-size 100000 --port 0 --hide-score
      homebody webshop serve --data-dir data/webshop --goals human
    """
    from homebody.envs.webshop.goals.shop import ShopConfig, open_shop
    from homebody.envs.webshop.site.site import Site, serve

    goal_shop = open_shop(ShopConfig(**shop))
    chosen = list(tasks) or [task.task_id for task in goal_shop.source.tasks(split)]
    site = Site(goal_shop, chosen, show_score=not hide_score)
    serve(site, port, lambda where: click.echo(f"{where} shows {len(goal_shop.shop.products)} products; Ctrl-C ends it"))


@webshop.command("catalogue", short_help="What the shop sells, and how hard it is to buy in.")
@shop_parameters
@click.option("--split", type=SPLIT, default="test", show_default=True, metavar="S", help="Errands to measure with.")
@click.option("--tasks", "n", type=int, default=100, show_default=True, metavar="N", help="How many of them.")
@click.option("--out", type=PATH, metavar="DIR", help="Write the built-in catalogue as upstream's files there.")
@json_out
def webshop_catalogue(split: str, n: int, out: str | None, json_path: str | None, **shop: Any) -> None:
    """Measure what a search for the whole instruction finds, and how often buying its first result is right.

    \b
    Examples:
      homebody webshop catalogue
      homebody webshop catalogue --catalogue-size 10000 --tasks 300 --json hard.json
      homebody webshop catalogue --out files    # for the real WebShop
    """
    from homebody.envs.webshop.catalogue.export import export_catalogue
    from homebody.envs.webshop.goals.difficulty import difficulty
    from homebody.envs.webshop.goals.shop import ShopConfig, open_shop

    check_target(json_path)
    if out is not None and shop["data_dir"] is not None:
        raise click.UsageError(f"--out writes the built-in catalogue, and --data-dir is {shop['data_dir']!r}; give one of them")
    goal_shop = open_shop(ShopConfig(**shop))
    files = export_catalogue(goal_shop.shop.products, out) if out is not None else []
    measured = difficulty(goal_shop, split, n).to_json()
    click.echo(f"{len(goal_shop.shop.products)} products, {len(goal_shop.source.goals)} goals; of {measured['goals']} of {split}:")
    for key, words in _WORDS.items():
        click.echo(f"  {100 * measured[key]:5.1f}%  {words}")
    for path in files:
        click.echo(f"{path} written")
    write_json(json_path, {"products": len(goal_shop.shop.products), "goals": len(goal_shop.source.goals), "split": split, **measured})


@webshop.command("manifest", short_help="What fixes the errands: prices, and hashes to compare.")
@shop_parameters
@goals_parameter
@click.option("--prices", type=PATH, metavar="FILE", help="What products cost; this command's --json, or ids and dollars alone.")
@json_out
def webshop_manifest(json_path: str | None, **shop: Any) -> None:
    """Print the hashes of catalogue, prices and errands, which two shops share if they ask for the same.

    The prices themselves are in the file of --json, so that they can be had again where a seed would draw others.

    \b
    Examples:
      homebody webshop manifest --data-dir data/webshop --price-seed 1 --json goals.json
      homebody webshop manifest --data-dir data/webshop --price-seed 1 --prices goals.json
      homebody evaluate --env homebody/WebShop-v0 --data-dir data/webshop --env-arg prices=goals.json --env-arg price_seed=1
    """
    from homebody.envs.webshop.goals.shop import ShopConfig, open_shop

    check_target(json_path)
    found = open_shop(ShopConfig(**shop)).manifest()
    shown = {
        **found,
        "n_goals": ", ".join(f"{number} of {split}" for split, number in found["n_goals"].items()),
        "unattainable": f"{len(found['unattainable'])} goals cannot be bought with the full reward",
        "prices": f"{len(found['prices'])} products",
    }
    Console().pairs(shown)
    write_json(json_path, found)


_WORDS = {
    "attainable": "can be bought with the full reward",
    "first": "have their product first in a search for the whole instruction",
    "top_10": "have it among the first 10",
    "top_50": "have it among the first 50",
    "first_result": "are solved by buying the first result with the options named (reward 1)",
    "first_result_strict": "are solved by it exactly (the very product, the very options)",
    "first_result_reward": "is its mean reward",
}
