#!/usr/bin/env bash
# Installs nginx and a headless Chromium, which tests run and npm does not bring. Works on Debian and its derivatives.
set -euo pipefail
missing=()
command -v nginx >/dev/null || missing+=(nginx-light)
command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || missing+=(chromium-headless-shell)
[ ${#missing[@]} -gt 0 ] || exit 0
root=()
[ "$(id -u)" -eq 0 ] || root=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
"${root[@]}" apt-get update -qq
"${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
