"""USDT-M futures of the rehearsal exchange: `/fapi/…`, beside spot and with wallets of its own."""
