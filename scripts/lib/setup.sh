# Sourced by the verbs in scripts/: finds Python, makes the virtual environment, installs the project.
# Usage: . "$(dirname "$0")/lib/setup.sh" && set_up [EXTRA]

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv="$root/.venv"

die() { printf '%s\n' "$*" >&2; exit 1; }

find_python() {
  local name
  for name in "${PYTHON:-}" python3.14 python3.13 python3.12 python3.11 python3 python; do
    [ -n "$name" ] || continue
    command -v "$name" >/dev/null 2>&1 || continue
    "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    command -v "$name"
    return 0
  done
  return 1
}

# What decides whether the environment is still right: the project's metadata and the Python in use.
stamp_of() { { cat "$root/pyproject.toml"; "$venv/bin/python" -V; printf '%s' "$1$root"; } | cksum; }

install_project() {
  local target=$root
  [ -z "$1" ] || target="$root[$1]"
  if command -v uv >/dev/null 2>&1; then
    VIRTUAL_ENV="$venv" uv pip install --quiet -e "$target"
  else
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check -e "$target"
  fi
}

set_up() {
  local extra=${1:-} stamp="$venv/.maxpool-${1:-base}"
  if [ ! -x "$venv/bin/python" ]; then
    local python
    python=$(find_python) || die "maxpool needs Python 3.11 or newer: install it, or set PYTHON=/path/to/python."
    echo "Making a virtual environment in $venv ..." >&2
    if command -v uv >/dev/null 2>&1; then
      uv venv --quiet --python "$python" "$venv"
    else
      "$python" -m venv "$venv" || die "Python's venv module is missing: on Debian, apt-get install python3-venv."
    fi
  fi
  if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$(stamp_of "$extra")" ]; then
    echo "Installing maxpool${extra:+ with its $extra tools} ..." >&2
    install_project "$extra" || die "Installing failed: see above. A network or a package mirror is needed once."
    stamp_of "$extra" >"$stamp"
  fi
  PATH="$venv/bin:$PATH"
  export PATH
}

# System packages that some tests need, as PROGRAM=PACKAGE: installed where that needs nobody's answer
# (apt, as root or by sudo without a pass phrase; TEST_PACKAGES=no forbids it). Without them those tests
# are skipped.
system_packages() {
  local pair missing=() as=() tried="$venv/.maxpool-packages"
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || as=(sudo -n)
  if [ "${TEST_PACKAGES:-yes}" != no ] && [ "$(cat "$tried" 2>/dev/null)" != "${missing[*]}" ] &&
    command -v apt-get >/dev/null 2>&1 && ${as[@]+"${as[@]}"} true 2>/dev/null; then
    echo "Installing ${missing[*]} for the tests ..." >&2
    printf '%s' "${missing[*]}" >"$tried"
    if apt_get update && apt_get install -y --no-install-recommends "${missing[@]}"; then
      rm -f "$tried"
      return 0
    fi
  fi
  echo "Not installed: ${missing[*]}; tests that need them are skipped." >&2
}

apt_get() {
  ${as[@]+"${as[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -o DPkg::Lock::Timeout=120 "$@" </dev/null >/dev/null 2>&1
}
