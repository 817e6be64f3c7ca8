#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# A Debian 13 root folder with GIMP 3.0 and Krita 5.2, for run-debian13.sh: 2.6 GB, 4 minutes; as root.
# Usage: debian13.sh ROOT
# To remove it later: for m in dev/pts dev sys proc; do umount ROOT/$m; done; rm -r ROOT
set -eu
[ $# = 1 ] || { echo "usage: debian13.sh ROOT" >&2; exit 2; }
root=$1
export DEBIAN_FRONTEND=noninteractive
# The mirror of this system's own apt.
# shellcheck disable=SC2016 # apt-get replaces it.
mirror=$(apt-get indextargets --format '$(SITE)' | grep -v security | head -1)
command -v debootstrap >/dev/null || apt-get install -y --no-install-recommends debootstrap
[ -e "$root/etc/debian_version" ] || debootstrap --variant=minbase trixie "$root" "$mirror"
for m in proc sys dev dev/pts; do
  mountpoint -q "$root/$m" || mount --bind "/$m" "$root/$m"
done
packages="gimp gir1.2-gimp-3.0 python3-gi python3-gi-cairo krita python3-pyqt5 xvfb xauth xdotool
  fonts-dejavu-core procps locales"
try() {
  chroot "$root" apt-get update
  # shellcheck disable=SC2086
  chroot "$root" apt-get install -y --no-install-recommends $packages
}
try || try
# For the tests where a comma stands before the decimals.
chroot "$root" localedef -i de_DE -f UTF-8 de_DE.UTF-8
