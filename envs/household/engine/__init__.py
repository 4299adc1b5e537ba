"""The game itself: arrays, compiled rules, the sentences, and one house played in text. Imports nothing else of the household."""
