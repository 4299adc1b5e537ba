"""Sorting and searching."""


# inputs: ordered(0, 20, 0, 8), member(0, 0, 20)
def binary_search(numbers, wanted):
    """Return the place of a number in an ordered list without repeats; -1 if it is not there."""
    low, high = 0, len(numbers) - 1
    while low <= high:
        middle = (low + high) // 2
        if numbers[middle] == wanted:
            return middle
        if numbers[middle] < wanted:
            low = middle + 1
        else:
            high = middle - 1
    return -1


# inputs: integers(-9, 9, 0, 7)
def insertion_sort(numbers):
    """Return the numbers in ascending order."""
    ordered = list(numbers)
    for i in range(1, len(ordered)):
        number = ordered[i]
        j = i - 1
        while j >= 0 and ordered[j] > number:
            ordered[j + 1] = ordered[j]
            j -= 1
        ordered[j + 1] = number
    return ordered


# inputs: ordered(0, 15, 0, 6), ordered(0, 15, 0, 6)
def merge_sorted(first, second):
    """Return the numbers of two ordered lists in one ordered list."""
    merged = []
    i, j = 0, 0
    while i < len(first) and j < len(second):
        if first[i] <= second[j]:
            merged.append(first[i])
            i += 1
        else:
            merged.append(second[j])
            j += 1
    return merged + first[i:] + second[j:]


# inputs: integers(0, 20, 1, 8), integer(1, 8)
def kth_smallest(numbers, k):
    """Return the k-th smallest number, counted from 1; the largest if there are fewer than k."""
    ordered = sorted(numbers)
    if k > len(ordered):
        return ordered[-1]
    return ordered[k - 1]


# inputs: ordered(0, 9, 0, 8), integer(-1, 10)
def first_not_less(numbers, wanted):
    """Return the first place of an ordered list whose number is not less than wanted; the length of the list if there is none."""
    low, high = 0, len(numbers)
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


# inputs: integers(0, 9, 0, 7)
def count_inversions(numbers):
    """Return how many pairs of numbers stand in the wrong order: a greater one before a smaller one."""
    count = 0
    for i in range(len(numbers)):
        for j in range(i + 1, len(numbers)):
            if numbers[i] > numbers[j]:
                count += 1
    return count


# inputs: integers(0, 3, 0, 9), integer(0, 3)
def partition(numbers, pivot):
    """Return the numbers with those less than pivot first, then those equal to it, then the greater ones; else in their order."""
    less, equal, greater = [], [], []
    for number in numbers:
        if number < pivot:
            less.append(number)
        elif number == pivot:
            equal.append(number)
        else:
            greater.append(number)
    return less + equal + greater


# inputs: integers(0, 12, 0, 8)
def longest_increasing(numbers):
    """Return the length of the longest increasing sequence that is left when some of the numbers are taken out."""
    lengths = []
    for i in range(len(numbers)):
        best = 0
        for j in range(i):
            if numbers[j] < numbers[i] and lengths[j] > best:
                best = lengths[j]
        lengths.append(best + 1)
    return max(lengths, default=0)


# inputs: integers(-9, 9, 3, 8)
def second_largest(numbers):
    """Return the largest number that is less than the greatest one; the greatest itself if all are equal."""
    best = max(numbers)
    second = None
    for number in numbers:
        if number < best and (second is None or number > second):
            second = number
    if second is None:
        return best
    return second


# inputs: words(0, 7)
def sort_by_length(words):
    """Return the words, longer ones first, those of equal length in alphabetical order."""
    ordered = []
    for word in words:
        place = 0
        while place < len(ordered):
            other = ordered[place]
            if len(word) > len(other) or (len(word) == len(other) and word < other):
                break
            place += 1
        ordered.insert(place, word)
    return ordered
