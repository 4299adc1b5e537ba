"""Dictionaries: counts, groups, accounts."""


# inputs: words(0, 9)
def word_counts(words):
    """Return how often each word stands in the list, capitals aside."""
    counts = {}
    for word in words:
        word = word.lower()
        counts[word] = counts.get(word, 0) + 1
    return counts


# inputs: words(0, 8)
def group_by_length(words):
    """Return the words of each length, in alphabetical order; lengths are written as text."""
    groups = {}
    for word in words:
        groups.setdefault(str(len(word)), []).append(word)
    for length in groups:
        groups[length] = sorted(groups[length])
    return groups


# inputs: mapping(0, 5, 0, 9), mapping(0, 5, 0, 9)
def merge_counts(first, second):
    """Add up two dictionaries of counts; leave out what comes to 0."""
    merged = {}
    for key in list(first) + list(second):
        total = first.get(key, 0) + second.get(key, 0)
        if total != 0:
            merged[key] = total
    return merged


# inputs: mapping(0, 6, 0, 4)
def invert(mapping):
    """Return for each value, written as text, the keys that have it, in alphabetical order."""
    inverted = {}
    for key in sorted(mapping):
        value = str(mapping[key])
        if value not in inverted:
            inverted[value] = []
        inverted[value].append(key)
    return inverted


# inputs: pairs(0, 8, -20, 30)
def balances(entries):
    """Return the balance of each account after all entries [name, amount]; one that would fall below 0 is left out."""
    held = {}
    for name, amount in entries:
        before = held.get(name, 0)
        if before + amount < 0:
            continue
        held[name] = before + amount
    return held


# inputs: words(1, 9)
def most_common(words):
    """Return the word that stands most often in the list, the first in the alphabet of equals."""
    counts = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    best = ""
    for word in sorted(counts):
        if best == "" or counts[word] > counts[best]:
            best = word
    return best


# inputs: mapping(1, 6, 1, 20), integer(1, 40)
def cheapest_first(prices, money):
    """Return what can be paid for, bought in order of price (of equals by name) until the next one costs too much."""
    bought = []
    for name in sorted(prices, key=lambda name: (prices[name], name)):
        if prices[name] > money:
            break
        money -= prices[name]
        bought.append(name)
    return bought


# inputs: mapping(0, 5, 0, 9), mapping(0, 5, 0, 9)
def changes(old, new):
    """Return [added, removed, changed]: the keys in the new alone, in the old alone, and in both with other values, each in order."""
    added, removed, changed = [], [], []
    for key in sorted(new):
        if key not in old:
            added.append(key)
        elif old[key] != new[key]:
            changed.append(key)
    for key in sorted(old):
        if key not in new:
            removed.append(key)
    return [added, removed, changed]


# inputs: pairs(0, 9, 0, 99)
def best_scores(results):
    """Return for each name the mean, rounded down, of its two best scores; of the only one, where there is one."""
    scores = {}
    for name, score in results:
        scores.setdefault(name, []).append(score)
    means = {}
    for name in scores:
        best = sorted(scores[name], reverse=True)[:2]
        means[name] = sum(best) // len(best)
    return means


# inputs: text("abcde", 1, 7), text("abcde", 1, 7)
def can_spell(word, letters):
    """Tell whether the word can be laid with the letters, each of them used at most once."""
    stock = {}
    for letter in letters:
        stock[letter] = stock.get(letter, 0) + 1
    for letter in word:
        if stock.get(letter, 0) == 0:
            return False
        stock[letter] -= 1
    return True
