#!/bin/sh
# Resolves the three *.in files into hash-locked *.txt files; see README.md beside it.
#
#   requirements/compile.sh               keeps what is locked, adds and drops what the .in files ask for
#   requirements/compile.sh --upgrade     moves everything to the newest versions that fit
set -eu
cd "$(dirname -- "$0")"
PATH=$PATH:$PWD/../.venv/bin

# Indexes and local wheels of whoever runs this must not shape the lock: its hashes are PyPI's.
for name in $(env | sed -n -e 's/^\(UV_[A-Z0-9_]*\)=.*/\1/p' -e 's/^\(PIP_[A-Z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done

lock() {
    input=$1 output=$2
    shift 2
    # fewest: one version of each package for every Python, so that all of them compute alike.
    uv --no-config pip compile "$input" --output-file "$output" \
        --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --quiet \
        --no-emit-index-url --no-emit-find-links --custom-compile-command requirements/compile.sh "$@"
}

# Each lock binds the next, so that all three fit into one environment.
lock runtime.in runtime.txt "$@"
lock dev.in dev.txt --constraint runtime.txt "$@"
lock build.in build.txt --constraint dev.txt "$@"
