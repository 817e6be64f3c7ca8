#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The plug-ins in the real programs of Debian 12: GIMP 2.10 and Krita 5.1. As root or not, after
# `tests/hosts/debian12.sh` and `cargo build --release`. Pictures of the dialogs go to target/shots.
# Everything runs, and a failure counts at the end.
set -u
cd "$(dirname "$0")/../.." || exit 2
status=0
python3 tests/hosts/gimp/run.py 2 --shots target/shots || status=1
# Where a comma stands before the decimals: what handles numbers and text.
python3 tests/hosts/gimp/run.py 2 --locale de_DE.UTF-8 --groups 'values repeat diffusion rad engines' ||
  status=1
tests/hosts/krita.sh --fresh || status=1
IMAGES=target/shots tests/hosts/krita.sh || status=1
exit $status
