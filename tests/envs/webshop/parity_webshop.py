"""Records what the parts of the real WebShop say of products of our own; `shop_answers.jsonl` has it, for every clone to compare.

    .venv/bin/python -P tests/envs/webshop/parity_webshop.py ANSERINI_JAR PYTHON [REWARD_CASES]

writes that file again. ANSERINI_JAR is the one in pyserini's wheel (`pip download --no-deps pyserini==0.25.0`, then `unzip`), which Java 11
or later runs. PYTHON has nltk, thefuzz, spaCy and its model en_core_web_sm. REWARD_CASES are rewards recorded from upstream: the second
reading of its formula in `peer.py` has to give all of them. Nothing that our code computes is kept, except what is asked.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from homebody.envs.webshop.catalogue.catalogue import Product
from homebody.envs.webshop.catalogue.synthetic import synthetic
from homebody.envs.webshop.goals.goals import Goal, draw_price
from homebody.envs.webshop.goals.nouns import colours
from homebody.envs.webshop.goals.shop import ShopConfig, open_shop
from homebody.envs.webshop.search.index import text_of

ANSWERS = Path(__file__).with_name("shop_answers.jsonl")
PRODUCTS = 400
HITS = 20
ODD = (
    "Men's T-Shirts & Tanks",
    "the 4.5-inch MOUNT (2-pack), 1,000 lumens",
    "women\u2019s x-large",
    "caf\u00e9 au lait \u2605 \u2764\ufe0f",
    "3\u00bd feet by 6'",
    "it is not an as-is",
    "U.S.A. e.g. node.js",
    "rock'n'roll",
    "price: $12.99/each",
    "technology technologies technological",
    "\u00b5m \u2122 \u00ae",
    "snake_case and_",
    "3:4 a:b",
    "",
    "of the and",
    "running runs ran runner",
    "l\u2019or\u00e9al",
    "\u5bb6\u5177 lamp",
    "emoji \U0001f600\U0001f600 two",
    "100% cotton",
    "a.b,c;d",
    "12'34 56.78",
    "y yy yes say",
)
"""Texts with what tokenizers differ in."""
MIXES = (
    "blue chair",
    "chair blue blue",
    "cheap wooden lamp with shelf",
    "zzz",
    "",
    "the of",
    "LAMP's lamps",
    "size: small",
    "color: navy blue",
)
"""Queries beside those of goals."""


def shop() -> list[Product]:
    """Return the products of the recording."""
    return list(synthetic(PRODUCTS))


def digest(products: list[Product]) -> str:
    """Return a hash of all that is said of some products, which tells whether a replay has those that were recorded."""
    return hashlib.sha256(repr(products).encode()).hexdigest()


def goal_record(goal: Goal) -> dict[str, Any]:
    """Return a goal in upstream's keys."""
    keys = ("asin", "category", "query", "name", "product_category", "price_upper")
    record = {key: getattr(goal, key) for key in keys}
    return {**record, "attributes": list(goal.attributes), "goal_options": dict(goal.options)}


def product_record(product: Product) -> dict[str, Any]:
    """Return a product in upstream's keys."""
    return {
        "asin": product.asin,
        "name": product.name,
        "query": product.query,
        "product_category": product.product_category,
        "Title": product.name,
        "Attributes": list(product.attributes),
        "BulletPoints": list(product.bullets),
        "Description": product.description,
    }


def purchases(products: list[Product], n: int) -> list[dict[str, Any]]:
    """Return things bought for training goals: the very product, one of the same kind, any; options as asked for, or drawn."""
    dice = random.Random(24)
    shop = open_shop(ShopConfig(catalogue_size=PRODUCTS))
    goals = [shop.source.goal(task.task_id) for task in shop.source.tasks("train", n)]
    by_asin = {product.asin: product for product in products}
    bought = []
    for i, goal in enumerate(goals):
        alike = [product for product in products if product.query == goal.query]
        product = (by_asin[goal.asin], dice.choice(alike), dice.choice(products))[i % 3]
        options = {group: dice.choice(values) for group, values in product.options.items()}
        wanted = {group: value for group, value in goal.options if value in product.options.get(group, ())}
        chosen = {**options, **wanted} if i % 2 else options
        price = draw_price(product, 0)
        bought.append({"goal": goal_record(goal), "product": product_record(product), "options": chosen, "price": price})
    return bought


def ask_lucene(jar: str, products: list[Product], texts: list[str], queries: list[str]) -> dict[str, Any]:
    """Return what Lucene says."""
    with TemporaryDirectory() as folder:
        Path(folder, "documents").mkdir()
        documents = [{"id": product.asin, "contents": text_of(product)} for product in products]
        Path(folder, "documents", "products.json").write_text(json.dumps(documents), "utf-8")
        Path(folder, "asked.json").write_text(json.dumps({"texts": texts, "queries": queries, "k": HITS}), "utf-8")
        subprocess.run(["java", "-cp", jar, str(Path(__file__).with_name("Lucene.java")), folder], check=True, capture_output=True)
        answers: dict[str, Any] = json.loads(Path(folder, "answers.json").read_text("utf-8"))
        return answers


def ask(python: str, question: dict[str, Any]) -> dict[str, Any]:
    """Return what nltk, thefuzz and spaCy say."""
    script = str(Path(__file__).with_name("peer.py"))
    done = subprocess.run([python, "-P", script], input=json.dumps(question), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


def record(jar: str, python: str, cases: list[dict[str, Any]]) -> str:
    """Return the text of a new recording; raise ValueError where the second reading of the reward errs on a recorded case."""
    dice = random.Random(7)
    products = shop()
    goals = [product.instruction for product in products if product.instruction]
    texts = [*ODD, *dice.sample([text for product in products for text in (product.name, *product.bullets)], 80)]
    queries = [*MIXES, *dice.sample(goals, 26), *(product.name for product in dice.sample(products, 15))]
    lucene = ask_lucene(jar, products, texts, queries)
    words = sorted({word for product in products for word in text_of(product).split() if word.isascii() and word.isalpha()})
    values = sorted({v for p in products for v in (*p.attributes, *(value for group in p.options.values() for value in group))})
    pairs = [dice.sample(values, 2) for _ in range(60)] + [[v, f"{dice.choice(values)} {v}"] for v in dice.sample(values, 20)]
    bought = purchases(products, 90)
    words = dice.sample(words, min(200, len(words)))
    said = ask(python, {"words": words, "pairs": pairs, "colours": colours(), "purchases": [*cases, *bought]})
    for case, parts in zip(cases, said["rewards"], strict=False):
        if parts["reward"] != case["reward"]:
            raise ValueError(f"{parts['reward']} is not the recorded reward {case['reward']}: {case['goal']['name']}")
    lines: list[dict[str, Any]] = [
        {"products": PRODUCTS, "sha256": digest(products), "lucene": lucene["versions"], "others": said["versions"]}
    ]
    lines += [{"text": text, "tokens": tokens} for text, tokens in zip(texts, lucene["tokens"], strict=True)]
    hits = [[[asin, round(score, 4)] for asin, score in found] for found in lucene["hits"]]
    lines += [{"query": query, "hits": found} for query, found in zip(queries, hits, strict=True)]
    lines += [{"word": word, "stem": stem} for word, stem in zip(words, said["stems"], strict=True)]
    lines += [{"pair": pair, "likeness": likeness} for pair, likeness in zip(pairs, said["likeness"], strict=True)]
    for one, parts in zip(bought, said["rewards"][len(cases) :], strict=True):
        lines.append({"goal": one["goal"], "bought": one["product"]["asin"], "options": one["options"], "price": one["price"], **parts})
    return "".join(json.dumps(line) + "\n" for line in lines)


if __name__ == "__main__":
    recorded = Path(sys.argv[3]).read_text("utf-8").splitlines() if len(sys.argv) > 3 else []
    ANSWERS.write_text(record(sys.argv[1], sys.argv[2], [json.loads(line) for line in recorded]), "utf-8")
    print(f"{ANSWERS.name}: {ANSWERS.stat().st_size} bytes; {len(recorded)} recorded rewards were given, all of them right")
