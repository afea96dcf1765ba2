"""Verdicts and evidence for people: one model, several renderers."""
