"""What an agent is sent to buy, what a purchase is worth, and how it is bought by an expert. Imports the catalogue and the pages."""
