#!/usr/bin/env bash
# Runs every target of fuzz/ on as many inputs as ever, from the same seed: what a change broke shows in a minute.
# It needs no nightly toolchain and no cargo-fuzz. There is no AddressSanitizer here; fuzz/README.md has the long
# runs that have it.
# usage: tests/fuzz.sh [SECONDS [TARGET...]]      without seconds, so many inputs that each target takes about ten
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-}
shift || true
targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
    for file in fuzz/fuzz_targets/*.rs; do
        targets+=("$(basename "$file" .rs)")
    done
fi

# What cargo-fuzz sets, without the sanitizer. Only with a target named are build scripts left as they are.
host=$(rustc -vV | sed -n 's/^host: //p')
flags=(--cfg fuzzing -Cpasses=sancov-module)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=("-Cllvm-args=-sanitizer-coverage-$option")
done
flags+=(-Cllvm-args=-simplifycfg-branch-fold-threshold=0)
# The same versions as everywhere; cargo adds the fuzzer's own.
cp Cargo.lock fuzz/Cargo.lock
RUSTFLAGS=${flags[*]} CARGO_TARGET_DIR=$PWD/target/fuzz \
    cargo build --release --manifest-path fuzz/Cargo.toml --target "$host" --bins

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p target/fuzz/artifacts

# Inputs to start from; other targets find theirs from nothing.
seeds() {
    local file
    case $1 in
    files) cp tests/data/*.* "$work/files" ;;
    # The first byte says which kind it is.
    archives)
        for file in tests/golden/*.pt; do
            { printf '\0' && head -c 8192 "$file"; } >"$work/archives/$(basename "$file")"
        done
        { printf '\2' && head -c 8192 tests/golden/migan.onnx; } >"$work/archives/migan.onnx"
        ;;
    models)
        for file in tests/golden/*.safetensors; do
            head -c 8192 "$file" >"$work/models/$(basename "$file")"
        done
        ;;
    esac
}

failed=()
for target in "${targets[@]}"; do
    mkdir -p "$work/$target"
    seeds "$target"
    limits=(-rss_limit_mb=2048 -timeout=60)
    if [[ -n $seconds ]]; then
        limits+=(-max_total_time="$seconds")
    else
        # Counted and not timed: a slow machine tries the same inputs.
        case $target in
        archives) limits+=(-runs=500000) ;;
        files) limits+=(-runs=6000) ;;
        fill) limits+=(-runs=20000) ;;
        models) limits+=(-runs=8000) ;;
        schedulers) limits+=(-runs=1500000) ;;
        *) limits+=(-runs=40000) ;;
        esac
    fi
    [[ $target == files ]] && limits+=(-max_len=65536)
    echo "-- $target"
    # A run that never came to an input has tried nothing.
    if ! "target/fuzz/$host/release/$target" "$work/$target" -seed=1 \
        -artifact_prefix="target/fuzz/artifacts/$target-" "${limits[@]}" >"$work/log" 2>&1 ||
        ! grep -E '^Done [1-9][0-9]* runs' "$work/log"; then
        tail -n 100 "$work/log"
        failed+=("$target")
    fi
done
if [[ ${#failed[@]} -gt 0 ]]; then
    echo "fuzz.sh: failed: ${failed[*]}; the inputs are in target/fuzz/artifacts" >&2
    exit 1
fi
