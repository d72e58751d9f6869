"""Makes the helpers beside this file importable by the tests below it."""
