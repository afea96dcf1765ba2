"""The agent's own Telegram bot, in a process of its own: what happens to it hurts no round."""
