"""Functions that call themselves."""


# inputs: nested(3)
def flatten(items):
    """Return the numbers of a list that holds numbers and lists, however deep, in their order."""
    flat = []
    for item in items:
        if isinstance(item, list):
            flat = flat + flatten(item)
        else:
            flat.append(item)
    return flat


# inputs: integer(-4, 4), integer(0, 9)
def power(base, exponent):
    """Return base to a power of at least 0, in few multiplications."""
    if exponent == 0:
        return 1
    half = power(base, exponent // 2)
    if exponent % 2 == 1:
        return half * half * base
    return half * half


# inputs: text("abcd", 0, 3)
def permutations(text):
    """Return all orders of the characters of a text, without repeats, in alphabetical order."""
    if len(text) <= 1:
        return [text]
    found = []
    for i in range(len(text)):
        rest = text[:i] + text[i + 1 :]
        for order in permutations(rest):
            if text[i] + order not in found:
                found.append(text[i] + order)
    return sorted(found)


# inputs: tree(0, 9)
def tree_depth(tree):
    """Return how many levels a tree has; a tree is [value, left, right], an empty one is None."""
    if tree is None:
        return 0
    left = tree_depth(tree[1])
    right = tree_depth(tree[2])
    return 1 + max(left, right)


# inputs: integers(1, 9, 0, 6), integer(0, 20)
def subset_sums(numbers, wanted):
    """Return in how many ways some of the numbers, perhaps none, can be taken so that they add up to wanted."""
    if not numbers:
        return 1 if wanted == 0 else 0
    without = subset_sums(numbers[1:], wanted)
    with_first = subset_sums(numbers[1:], wanted - numbers[0])
    return without + with_first


# inputs: integer(0, 3), choice("a", "l"), choice("c", "r"), choice("b", "m")
def hanoi(discs, source, target, spare):
    """Return the moves, as "ac" for one from a to c, that bring a tower of discs from the source to the target."""
    if discs == 0:
        return []
    before = hanoi(discs - 1, source, spare, target)
    after = hanoi(discs - 1, spare, target, source)
    return before + [source + target] + after


# inputs: tree(0, 8)
def tree_values(tree):
    """Return the values of a tree from left to right; a tree is [value, left, right], an empty one is None."""
    if tree is None:
        return []
    value, left, right = tree
    return tree_values(left) + [value] + tree_values(right)


# inputs: text("abc", 0, 5), text("abc", 0, 5)
def edit_distance(first, second):
    """Return the least number of letters to insert, delete or replace that turns the first text into the second."""
    if first == "":
        return len(second)
    if second == "":
        return len(first)
    if first[0] == second[0]:
        return edit_distance(first[1:], second[1:])
    insert = edit_distance(first, second[1:])
    delete = edit_distance(first[1:], second)
    replace = edit_distance(first[1:], second[1:])
    return 1 + min(insert, delete, replace)


# inputs: integer(0, 12), choice([1, 2], [1, 2, 5], [2, 3], [5, 1])
def ways_to_pay(amount, coins):
    """Return in how many ways an amount can be paid with coins of the given values; the order does not count."""
    if amount == 0:
        return 1
    if amount < 0 or not coins:
        return 0
    return ways_to_pay(amount - coins[0], coins) + ways_to_pay(amount, coins[1:])


# inputs: integer(0, 3), integer(1, 5)
def bracket_texts(pairs, deepest):
    """Return all texts of so many pairs of round brackets, each closed, at most so many open at once, in alphabetical order."""

    def extend(text, opened, closed):
        if closed == pairs:
            return [text]
        found = []
        if opened < pairs and opened - closed < deepest:
            found = found + extend(text + "(", opened + 1, closed)
        if closed < opened:
            found = found + extend(text + ")", opened, closed + 1)
        return found

    return extend("", 0, 0)
