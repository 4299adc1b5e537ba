"""Pages of the shop as pictures. Imports the catalogue and the pages."""
