#!/bin/sh
# Random requests, each done in several ways that must agree: 20,000, or as many as are asked for.
# Usage: tests/requests.sh [COUNT]      some 10 minutes for 20,000 on two cores
#        MEND_REQUEST=1234 tests/requests.sh      that one alone
set -eu
cd "$(dirname "$0")/.."
MEND_REQUESTS=${1:-20000} cargo test --release --locked --test requests -- --nocapture
