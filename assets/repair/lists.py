"""Lists of numbers and of lists."""


# inputs: integers(-9, 9, 0, 8)
def largest_sum(numbers):
    """Return the largest sum of neighbouring numbers in the list; 0 if every sum is negative or there are none."""
    best = 0
    current = 0
    for number in numbers:
        current = max(0, current + number)
        best = max(best, current)
    return best


# inputs: integers(0, 9, 0, 8), integer(1, 4)
def chunks(items, size):
    """Cut a list into lists of the given size; the last one may be shorter."""
    parts = []
    for start in range(0, len(items), size):
        parts.append(items[start : start + size])
    return parts


# inputs: integers(0, 4, 0, 9)
def without_repeats(items):
    """Return the items in their order, each only where it stands first."""
    seen = set()
    kept = []
    for item in items:
        if item not in seen:
            seen.add(item)
            kept.append(item)
    return kept


# inputs: integers(0, 9, 0, 7), integer(-9, 9)
def rotate(items, places):
    """Move every item on by some places to the right; what falls off the end comes first. Negative places move left."""
    if not items:
        return []
    places = places % len(items)
    return items[len(items) - places :] + items[: len(items) - places]


# inputs: matrix(1, 4, 1, 4, 0, 9)
def spiral(rows):
    """Return the numbers of a matrix in a spiral: along the top, down the right, back along the bottom, up the left, inwards."""
    top, bottom = 0, len(rows) - 1
    left, right = 0, len(rows[0]) - 1
    found = []
    while top <= bottom and left <= right:
        for column in range(left, right + 1):
            found.append(rows[top][column])
        for row in range(top + 1, bottom + 1):
            found.append(rows[row][right])
        if top < bottom:
            for column in range(right - 1, left - 1, -1):
                found.append(rows[bottom][column])
        if left < right:
            for row in range(bottom - 1, top, -1):
                found.append(rows[row][left])
        top, bottom = top + 1, bottom - 1
        left, right = left + 1, right - 1
    return found


# inputs: integers(0, 12, 1, 8)
def water_between(heights):
    """Return how much water stays between walls of the given heights, each one unit wide."""
    water = 0
    for i in range(len(heights)):
        left = max(heights[: i + 1])
        right = max(heights[i:])
        water += min(left, right) - heights[i]
    return water


# inputs: matrix(1, 4, 1, 4, 0, 9)
def transpose(rows):
    """Return the matrix whose rows are the columns of the given one."""
    columns = []
    for column in range(len(rows[0])):
        line = []
        for row in range(len(rows)):
            line.append(rows[row][column])
        columns.append(line)
    return columns


# inputs: integers(0, 9, 0, 7)
def running_means(numbers):
    """Return for each place the mean, rounded down, of all numbers up to it, itself included."""
    means = []
    total = 0
    for i in range(len(numbers)):
        total += numbers[i]
        means.append(total // (i + 1))
    return means


# inputs: integers(-5, 5, 2, 8), integer(-6, 6)
def pair_with_sum(numbers, wanted):
    """Return the places [i, j], i before j, of two numbers that add up to wanted: the first j there is, then the last i; else []."""
    last = {}
    for j, number in enumerate(numbers):
        if wanted - number in last:
            return [last[wanted - number], j]
        last[number] = j
    return []


# inputs: intervals(0, 6)
def merge_intervals(intervals):
    """Join intervals [first, last] that overlap or touch, and return them in order."""
    merged = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return merged
