#!/bin/sh
# Compiles the three files of this folder into a temporary one and runs them (JDK 17 or later).
set -eu
here=$(dirname "$0")
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
javac -encoding UTF-8 -d "$built" "$here"/Ecluse.java "$here"/Receipt.java "$here"/SelfTest.java
[ "${1:-}" != --self-test ] || set -- --self-test "${2:-$here/../../tests/vectors/integrators}"
java -Dfile.encoding=UTF-8 -cp "$built" Ecluse "$@"
