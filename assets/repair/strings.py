"""Texts: characters, words, codes."""


# inputs: text("aabbc", 0, 9)
def run_lengths(text):
    """Write each run of equal characters as the character and the length of the run: "aab" gives "a2b1"."""
    written = ""
    start = 0
    for i in range(1, len(text) + 1):
        if i == len(text) or text[i] != text[start]:
            written += text[start] + str(i - start)
            start = i
    return written


# inputs: phrase(1, 6)
def capitalize_words(sentence):
    """Write the first and the last word, and every word of four letters or more, with a capital."""
    words = sentence.split(" ")
    written = []
    for i, word in enumerate(words):
        if i == 0 or i == len(words) - 1 or len(word) >= 4:
            word = word[:1].upper() + word[1:]
        written.append(word)
    return " ".join(written)


# inputs: text("abcxyzABCXYZ .", 0, 12), integer(0, 30)
def shift_letters(text, places):
    """Move each letter on by some places in the alphabet, from the end on to the beginning again; keep all else."""
    moved = ""
    for character in text:
        if "a" <= character <= "z":
            first = ord("a")
        elif "A" <= character <= "Z":
            first = ord("A")
        else:
            moved += character
            continue
        moved += chr(first + (ord(character) - first + places) % 26)
    return moved


# inputs: text("abA ,", 0, 7)
def is_palindrome(text):
    """Tell whether the letters of the text read the same backwards, capitals and all other characters aside."""
    left, right = 0, len(text) - 1
    while left < right:
        if not text[left].isalpha():
            left += 1
        elif not text[right].isalpha():
            right -= 1
        elif text[left].lower() != text[right].lower():
            return False
        else:
            left += 1
            right -= 1
    return True


# inputs: words(0, 5)
def common_prefix(words):
    """Return the longest text with which all words begin; the empty text if there are no words."""
    if not words:
        return ""
    prefix = words[0]
    for word in words[1:]:
        length = 0
        while length < len(prefix) and length < len(word) and prefix[length] == word[length]:
            length += 1
        prefix = prefix[:length]
    return prefix


# inputs: text("ab", 0, 9), text("ab", 1, 3)
def count_occurrences(text, part):
    """Return at how many places of the text the part stands; places may overlap."""
    count = 0
    for start in range(len(text) - len(part) + 1):
        if text[start : start + len(part)] == part:
            count += 1
    return count


# inputs: phrase(1, 9), integer(6, 18)
def wrap_words(sentence, width):
    """Break a sentence into lines of at most width characters, as many words in each as fit."""
    lines = []
    line = ""
    for word in sentence.split(" "):
        if line == "":
            line = word
        elif len(line) + 1 + len(word) <= width:
            line += " " + word
        else:
            lines.append(line)
            line = word
    lines.append(line)
    return lines


# inputs: text("abc", 0, 8), text("abc", 0, 8)
def hamming_or_none(first, second):
    """Return at how many places two texts of equal length differ; -1 if their lengths differ."""
    if len(first) != len(second):
        return -1
    different = 0
    for i in range(len(first)):
        if first[i] != second[i]:
            different += 1
    return different


# inputs: text("ABCabc", 0, 5)
def snake_case(name):
    """Write a name such as "maxValue" as "max_value": a capital that is not first gets an underscore before it."""
    written = ""
    for i, letter in enumerate(name):
        if letter.isupper():
            if i > 0:
                written += "_"
            written += letter.lower()
        else:
            written += letter
    return written


# inputs: text("abcab", 1, 9)
def longest_without_repeat(text):
    """Return the length of the longest part of the text in which no character stands twice."""
    best = 0
    start = 0
    last = {}
    for i, character in enumerate(text):
        if character in last and last[character] >= start:
            start = last[character] + 1
        last[character] = i
        best = max(best, i - start + 1)
    return best
