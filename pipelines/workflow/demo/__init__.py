"""`sluice demo`: a strategy on its whole way, with the public commands alone.

It works in a project of its own below `--out`, on a rehearsal exchange and with an agent of its
own. Nothing of the checkout, of the user's home or of his git is touched.
"""
