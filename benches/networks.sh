#!/bin/sh
# The networks beside OpenVINO and PyTorch, in turn, on the same random model of Stable Diffusion 1.5's
# true size: seconds, ratios, memory.
# usage: benches/networks.sh SHARED [MODELS]
#   SHARED  the folder with bench/random_model.py and bench/peers.py
#   MODELS  where the random models lie or are to be written (6 GB); default: target/networks
# Needs Python 3; installs PyTorch, diffusers and OpenVINO into MODELS/venv at the first run.
set -eu
cd "$(dirname "$0")/.."
shared=$1
models=${2:-target/networks}
runs=${RUNS:-5}
mkdir -p "$models"
if [ -z "${PYTHON:-}" ]; then
    PYTHON=$models/venv/bin/python
    if [ ! -x "$PYTHON" ]; then
        python3 -m venv "$models/venv"
        "$PYTHON" -m pip install -q torch diffusers transformers safetensors openvino
    fi
fi
[ -d "$models/sd-f32" ] || "$PYTHON" "$shared/bench/random_model.py" "$models/sd-f32" --dtype f32
[ -d "$models/sd-f16" ] || "$PYTHON" "$shared/bench/random_model.py" "$models/sd-f16"
cargo build --release --bin mend
mend=${CARGO_TARGET_DIR:-target}/release/mend

mend_s() { # FIELD ARGUMENTS…: the stage's median, or the peak memory
    field=$1
    shift
    "$mend" bench --model "$models/sd-f16" --threads 2 --runs "$runs" --json "$@" |
        "$PYTHON" -c "import json,sys; r=json.load(sys.stdin); print(r['peak_rss_mb'] if '$field'=='mb' else r['stages'][0]['$field'])"
}
for stage in unet64 unet32 vae_decode vae_encode; do
    for peer in ${PEERS:-openvino torch}; do
        line=$("$PYTHON" "$shared/bench/peers.py" "$models/sd-f32" "$peer" $stage "$runs" 2>/dev/null | tail -1)
        theirs=$(echo "$line" | sed 's/.*median \([0-9.]*\) s.*/\1/')
        for precision in f32 int8; do
            ours=$(mend_s median_s --stage $stage --precision $precision)
            echo "$stage $precision: $ours s; $line; ratio $(echo "$ours $theirs" | awk '{printf "%.3f", $1 / $2}')"
        done
    done
done
echo "peak of one 64×64 step, f16 weights: $(mend_s mb --stage unet64) MiB, int8 $(mend_s mb --stage unet64 --precision int8) MiB"
one=$("$mend" bench --model "$models/sd-f16" --threads 1 --runs "$runs" --stage unet64 --json | "$PYTHON" -c "import json,sys; print(json.load(sys.stdin)['stages'][0]['median_s'])")
two=$(mend_s median_s --stage unet64)
echo "one thread $one s over two threads $two s: $(echo "$one $two" | awk '{printf "%.2f", $1 / $2}')"
