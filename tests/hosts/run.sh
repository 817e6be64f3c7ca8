#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The plug-ins in the real programs of Debian 12: GIMP 2.10 and Krita 5.1. As root or not, after
# `tests/hosts/debian12.sh` and `cargo build --release`. Pictures of the dialogs go to target/shots.
set -eu
cd "$(dirname "$0")/../.."
python3 tests/hosts/gimp/run.py 2 --shots target/shots
tests/hosts/krita.sh --fresh
IMAGES=target/shots tests/hosts/krita.sh
