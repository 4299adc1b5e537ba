"""The household without text: numbered actions, arrays and masks, one house or a batch. Imports every other room."""
