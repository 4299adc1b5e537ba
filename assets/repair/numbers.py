"""Whole numbers: divisors, digits, sequences."""


# inputs: integer(0, 90), integer(1, 90)
def greatest_common_divisor(a, b):
    """Return the greatest whole number that divides both a and b."""
    while b:
        a, b = b, a % b
    return a


# inputs: integer(0, 60)
def count_primes(limit):
    """Return how many primes are less than or equal to limit."""
    count = 0
    for number in range(2, limit + 1):
        is_prime = True
        divisor = 2
        while divisor * divisor <= number:
            if number % divisor == 0:
                is_prime = False
                break
            divisor += 1
        if is_prime:
            count += 1
    return count


# inputs: integer(-99, 9999)
def digital_root(number):
    """Add up the digits of the absolute value until a single digit is left, and return that."""
    number = abs(number)
    while number > 9:
        total = 0
        while number > 0:
            total += number % 10
            number = number // 10
        number = total
    return number


# inputs: integer(0, 25)
def fibonacci(n):
    """Return the n-th Fibonacci number; the first two, at n = 0 and n = 1, are 0 and 1."""
    previous, current = 0, 1
    for _ in range(n):
        previous, current = current, previous + current
    return previous


# inputs: integer(1, 200)
def largest_prime_factor(number):
    """Return the largest prime that divides number; 1 if number is 1."""
    largest = 1
    factor = 2
    while factor * factor <= number:
        if number % factor == 0:
            largest = factor
            number = number // factor
        else:
            factor += 1
    if number > 1:
        largest = number
    return largest


# inputs: integer(1, 40)
def collatz_peak(start):
    """Return the largest number of the Collatz sequence from start down to 1.

    An even number is halved; an odd one is tripled, plus one.
    """
    peak = start
    number = start
    while number != 1:
        if number % 2 == 0:
            number = number // 2
        else:
            number = 3 * number + 1
        if number > peak:
            peak = number
    return peak


# inputs: integer(0, 12), integer(0, 12)
def choose(n, k):
    """Return the number of ways to choose k of n things; 0 if k is greater than n."""
    if k > n:
        return 0
    if k > n - k:
        k = n - k
    ways = 1
    for i in range(k):
        ways = ways * (n - i) // (i + 1)
    return ways


# inputs: integer(0, 400)
def integer_root(number):
    """Return the largest whole number whose square is not greater than number."""
    low, high = 0, number + 1
    while high - low > 1:
        middle = (low + high) // 2
        if middle * middle <= number:
            low = middle
        else:
            high = middle
    return low


# inputs: integer(0, 300), integer(2, 16)
def to_base(number, base):
    """Return the digits of number in a base from 2 to 16, as text with small letters."""
    if number == 0:
        return "0"
    digits = "0123456789abcdef"
    written = ""
    while number > 0:
        written = digits[number % base] + written
        number = number // base
    return written


# inputs: choice(1, 6, 28, 48, 75, 140, 195, 220, 284), choice(1, 6, 28, 48, 75, 140, 195, 220, 284)
def betrothed(a, b):
    """Tell whether a and b differ and the proper divisors of each, without 1 and itself, add up to the other."""
    if a == b:
        return False
    sums = []
    for number in (a, b):
        total = 0
        for divisor in range(2, number):
            if number % divisor == 0:
                total += divisor
        sums.append(total)
    return sums[0] == b and sums[1] == a
