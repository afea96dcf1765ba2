"""How freqtrade is spoken to from outside. Imports no freqtrade."""
