#!/usr/bin/env bash
# How near fills come to what stood there, and how long whole processes take, on the 24 Kodak photos
# with the masks of benches/masks; G'MIC beside it where `gmic` is installed.
#
# usage: benches/quality.sh PHOTOS [OPTION OF THE SCORER]...
#
# PHOTOS holds kodim01.png to kodim24.png (https://r0k.us/graphics/kodak/). MASKS and KINDS in the
# environment name other masks, MASKS/NAME.KIND.png.
set -euo pipefail
[[ $# -ge 1 ]] || { sed -n '2,/^set/{/^set/!p}' "$0" >&2; exit 2; }
photos=$(realpath "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
masks=${MASKS:-benches/masks}
read -ra kinds <<<"${KINDS:-medium}"

cargo build --release --quiet --bin mend --example score
# Only the scorer knows the truth: it fills each hole with noise before it lets the library see it.
target/release/examples/score "$photos" "$masks" "${kinds[@]}" "$@"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "Whole processes, reading and writing PNG, $(nproc) processors:"
for program in mend gmic; do
    if [[ $program = gmic ]] && ! command -v gmic >/dev/null; then
        continue
    fi
    for kind in "${kinds[@]}"; do
        for mask in "$masks"/*."$kind".png; do
            photo=$photos/$(basename "$mask" ".$kind.png").png
            [[ -f $photo ]] || continue
            if [[ $program = mend ]]; then
                command=(target/release/mend fill "$photo" --mask "$mask" -o "$work/out.png")
            else
                command=(gmic "$photo" "$mask" inpaint_matchpatch[0] '[1]' 'keep[0]' -o "$work/out.png")
            fi
            python3 benches/measure.py --runs 1 --label "$program" "${command[@]}"
        done | sort -k2n | awk -v kind="$kind" \
            '{ name = $1; s[NR] = $2; if ($(NF-1) > peak) peak = $(NF-1) }
             END { printf "%-8s %-8s n=%d median %.2f s, slowest %.2f s, peak %d MB\n",
                   name, kind, NR, (s[int((NR+1)/2)] + s[int(NR/2)+1]) / 2, s[NR], peak }'
    done
done
