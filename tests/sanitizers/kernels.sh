#!/bin/sh
# The kernels' tests under AddressSanitizer and under valgrind: every index of the unsafe code, on
# ragged sizes. Not in CI: it builds all dependencies anew. Needs valgrind, and a toolchain with the
# sanitizer's runtime (rustup's have it).
# usage: tests/sanitizers/kernels.sh
set -eu
cd "$(dirname "$0")/../.."
target=$(rustc -vV | sed -n 's/^host: //p')
echo "== AddressSanitizer"
# A request for more memory than there can be is refused in tests, and is no error.
ASAN_OPTIONS=allocator_may_return_null=1 RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR=target/asan \
    cargo test -p mend-infer --lib --target "$target" -- kernels nn
echo "== valgrind (it knows no AVX-512: the paths up to AVX2)"
test=$(cargo test -p mend-infer --lib --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)
# candle's and std's own allocations that live to the end are no errors here.
valgrind --error-exitcode=9 --leak-check=no "$test" kernels:: --test-threads=2
