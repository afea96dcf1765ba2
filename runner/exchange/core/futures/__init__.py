"""The book of USDT-M futures: pure, like the books beside it.

One-way positions with isolated margin. A wallet holds what is free and what is margin; spot's
balances are elsewhere. Whatever an account gets or pays, a counter of the exchange (`market`,
`fees`, `funding`, `insurance`) pays or gets, so that the sum of all never changes.
"""
