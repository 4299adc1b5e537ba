"""Reading and writing small languages."""


# inputs: brackets(0, 8)
def brackets_match(text):
    """Tell whether every bracket of (), [] and {} is closed by one of its kind, in the right order."""
    closing = {")": "(", "]": "[", "}": "{"}
    opened = []
    for character in text:
        if character in "([{":
            opened.append(character)
        elif character in closing:
            if not opened or opened.pop() != closing[character]:
                return False
    return not opened


# inputs: sum_text()
def evaluate(text):
    """Return the value of whole numbers joined by + and -, as "12+3-4"."""
    total = 0
    sign = 1
    number = 0
    for character in text + "+":
        if character.isdigit():
            number = number * 10 + int(character)
        else:
            total += sign * number
            number = 0
            sign = 1 if character == "+" else -1
    return total


# inputs: postfix()
def evaluate_postfix(words):
    """Return the value of an expression whose operators +, - and * stand after their two numbers."""
    stack = []
    for word in words:
        if word in ("+", "-", "*"):
            right = stack.pop()
            left = stack.pop()
            if word == "+":
                stack.append(left + right)
            elif word == "-":
                stack.append(left - right)
            else:
                stack.append(left * right)
        else:
            stack.append(int(word))
    return stack[-1]


# inputs: integer(1, 399)
def to_roman(number):
    """Write a number from 1 to 399 in Roman numerals."""
    numerals = [(100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]
    written = ""
    for value, letters in numerals:
        while number >= value:
            written += letters
            number -= value
    return written


# inputs: roman(1, 399)
def from_roman(text):
    """Return the number that Roman numerals write."""
    values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
    total = 0
    for i in range(len(text)):
        value = values[text[i]]
        if i + 1 < len(text) and values[text[i + 1]] > value:
            total -= value
        else:
            total += value
    return total


# inputs: settings(0, 5)
def read_settings(text):
    """Return the settings of a text with one "name = value" a line; empty lines and those that begin with # are left out."""
    settings = {}
    for line in text.split("\n"):
        line = line.strip()
        if line == "" or line.startswith("#"):
            continue
        name, _, value = line.partition("=")
        settings[name.strip()] = value.strip()
    return settings


# inputs: ranges(1, 5)
def read_ranges(text):
    """Return the numbers that a text such as "1-3,7" names, in order and without repeats."""
    numbers = set()
    for part in text.split(","):
        if "-" in part:
            first, last = part.split("-")
            for number in range(int(first), int(last) + 1):
                numbers.add(number)
        else:
            numbers.add(int(part))
    return sorted(numbers)


# inputs: coded(0, 5)
def unpack(text):
    """Write out a text whose letters follow their number of times: "3a2b" gives "aaabb"; without a number once."""
    written = ""
    times = ""
    for character in text:
        if character.isdigit():
            times += character
        else:
            written += character * int(times or "1")
            times = ""
    return written


# inputs: csv_line(1, 5)
def split_fields(line):
    """Split a line at its commas; a comma between double quotes does not count, and the quotes are left out."""
    fields = []
    field = ""
    quoted = False
    for character in line:
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            fields.append(field)
            field = ""
        else:
            field += character
    fields.append(field)
    return fields


# inputs: path_text(0, 6)
def simplify_path(path):
    """Write a path from the root without "." and "..": each ".." takes the folder before it away; empty names are left out."""
    folders = []
    for name in path.split("/"):
        if name == "..":
            if folders:
                folders.pop()
        elif name != "" and name != ".":
            folders.append(name)
    return "/" + "/".join(folders)
