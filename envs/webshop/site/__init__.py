"""The shop as a website, and the browser that plays it. Imports every other room but the pictures."""
