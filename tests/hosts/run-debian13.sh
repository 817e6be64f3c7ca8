#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The plug-ins in the real programs of Debian 13: GIMP 3.0 and Krita 5.2, in a root folder made by
# `tests/hosts/debian13.sh ROOT`; as root, after `tests/hosts/debian12.sh` and `cargo build --release`.
# Everything runs, and a failure counts at the end.
# Usage: run-debian13.sh ROOT
set -u
[ $# = 1 ] || { echo "usage: run-debian13.sh ROOT" >&2; exit 2; }
root=$1
cd "$(dirname "$0")/../.." || exit 2
status=0
python3 tests/hosts/gimp/run.py 3 --root "$root" --shots target/shots || status=1
# Where a comma stands before the decimals: what handles numbers and text.
python3 tests/hosts/gimp/run.py 3 --root "$root" --locale de_DE.UTF-8 \
  --groups 'values repeat diffusion rad engines' || status=1
IMAGES=target/shots/debian13 tests/hosts/krita.sh --root "$root" || status=1
exit $status
