# SPDX-License-Identifier: MIT OR Apache-2.0
"""The pictures, holes and scores of ../structures.py."""
