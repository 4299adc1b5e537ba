"""Dates, times and units."""


# inputs: choice(1600, 1700, 1800, 1896, 1900, 1904, 1950, 1996, 1999, 2000, 2001, 2004, 2016, 2023, 2024, 2100, 2200, 2300, 2400, 2800)
def is_leap_year(year):
    """Tell whether a year has 366 days: every fourth has, but of the full hundreds only every fourth."""
    if year % 400 == 0:
        return True
    if year % 100 == 0:
        return False
    return year % 4 == 0


# inputs: integer(1, 12), choice(1900, 2000, 2023, 2024)
def days_in_month(month, year):
    """Return the number of days of a month, 1 to 12, of a year."""
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return 29 if leap else 28
    if month in (4, 6, 9, 11):
        return 30
    return 31


# inputs: clock(), clock()
def minutes_between(start, end):
    """Return the minutes from one time of day to another, written "hh:mm"; an end before the start is on the next day."""
    start_hour, start_minute = start.split(":")
    end_hour, end_minute = end.split(":")
    minutes = (int(end_hour) - int(start_hour)) * 60 + int(end_minute) - int(start_minute)
    if minutes < 0:
        minutes += 24 * 60
    return minutes


# inputs: integer(0, 100000)
def duration(seconds):
    """Write a number of seconds as "1h 2m 3s"; parts of 0 are left out, but 0 seconds are "0s"."""
    hours = seconds // 3600
    minutes = seconds % 3600 // 60
    rest = seconds % 60
    parts = []
    if hours > 0:
        parts.append(str(hours) + "h")
    if minutes > 0:
        parts.append(str(minutes) + "m")
    if rest > 0 or not parts:
        parts.append(str(rest) + "s")
    return " ".join(parts)


# inputs: integer(1, 28), integer(1, 12), integer(1990, 2030)
def weekday(day, month, year):
    """Return the day of the week of a date, 0 for Saturday, 1 for Sunday and so on (Zeller's rule)."""
    if month < 3:
        month += 12
        year -= 1
    century = year // 100
    short_year = year % 100
    return (day + 13 * (month + 1) // 5 + short_year + short_year // 4 + century // 4 + 5 * century) % 7


# inputs: integer(1, 28), integer(1, 12), choice(2000, 2023, 2024)
def day_of_year(day, month, year):
    """Return the number of a date within its year, 1 for the first of January."""
    lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        lengths[1] = 29
    return sum(lengths[: month - 1]) + day


# inputs: integer(-40, 120), choice("C", "F", "K"), choice("C", "F", "K")
def convert_temperature(degrees, unit, wanted):
    """Convert whole degrees between Celsius (C), Fahrenheit (F) and Kelvin (K, 273 at 0 C), rounded down."""
    if unit == "F":
        celsius = (degrees - 32) * 5 // 9
    elif unit == "K":
        celsius = degrees - 273
    else:
        celsius = degrees
    if wanted == "F":
        return celsius * 9 // 5 + 32
    if wanted == "K":
        return celsius + 273
    return celsius


# inputs: integer(0, 5000000)
def file_size(size):
    """Write a number of bytes in the largest of B, KB, MB and GB in which it is at least 1, rounded down; 1 KB is 1024 B."""
    units = ["B", "KB", "MB", "GB"]
    unit = 0
    while size >= 1024 and unit < len(units) - 1:
        size = size // 1024
        unit += 1
    return str(size) + " " + units[unit]


# inputs: integer(0, 999)
def change(cents):
    """Return the fewest coins of 50, 20, 10, 5, 2 and 1 cents that make an amount: [coin, number] for each that is needed."""
    coins = []
    for coin in (50, 20, 10, 5, 2, 1):
        number = cents // coin
        if number > 0:
            coins.append([coin, number])
            cents -= number * coin
    return coins


# inputs: integer(1, 28), integer(1, 12), integer(0, 60)
def add_days(day, month, days):
    """Return [day, month] of the date so many days later, in a year of 365 days; after December comes January."""
    lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    day += days
    while day > lengths[month - 1]:
        day -= lengths[month - 1]
        month += 1
        if month > 12:
            month = 1
    return [day, month]
