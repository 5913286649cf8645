# Sourced by scripts/try-*: a real client from npm in a temporary folder, before the demo. Needs lib/setup.sh.
# Usage: install_client NAME PACKAGE; start_demo [OPTION...]; ask_client COMMAND...; tell_served NAME

within_s=120 # far above any start: beyond that it hangs
folder=
demo=

tidy_up() {
  [ -z "$demo" ] || kill "$demo" 2>/dev/null || true
  wait
  [ -z "$folder" ] || rm -rf "$folder"
}

install_client() {
  command -v npm >/dev/null 2>&1 || die "$1 comes from npm, and there is none: install Node.js."
  folder=$(mktemp -d)
  trap tidy_up EXIT
  trap 'exit 130' INT TERM
  echo "Installing $2 ..."
  npm install --loglevel=error --no-fund --no-audit --prefix "$folder/npm" "$2" >/dev/null ||
    die "npm could not install $2: see above."
  # Neither your own logins, settings and accounts nor a variable of your shell are seen from here on.
  unset XDG_CONFIG_HOME XDG_STATE_HOME XDG_DATA_HOME XDG_CACHE_HOME
  unset ${!ANTHROPIC_@} ${!CLAUDE@} ${!OPENAI_@} ${!CODEX_@} ${!OPENCODE_@} ${!MAXPOOL_@}
  export HOME="$folder/home" MAXPOOL_HOME="$folder/maxpool" NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
  mkdir -p "$HOME" "$folder/work"
}

# Sets `port` and `url`.
start_demo() {
  maxpool demo --port 0 --no-traffic "$@" >"$folder/demo.log" 2>&1 &
  demo=$!
  port=
  for _ in $(seq 150); do
    port=$(sed -n 's|^maxpool http://127\.0\.0\.1:\([0-9]*\).*|\1|p' "$folder/demo.log")
    [ -z "$port" ] || break
    kill -0 "$demo" 2>/dev/null || break
    sleep 0.2
  done
  [ -n "$port" ] || { cat "$folder/demo.log" >&2; die "The demo did not start."; }
  url="http://127.0.0.1:$port"
}

requests() {
  maxpool status --url "$url" --json |
    python -c 'import json, sys; print(json.load(sys.stdin)["totals"]["requests"])'
}

# Runs it without anything to read from, and shows what it says.
ask_client() {
  local code=0
  before=$(requests) # `maxpool doctor` looks which APIs are there, and is counted too
  python - "$within_s" "$@" >"$folder/answer" <<'END_OF_CODE' || code=$?
import subprocess, sys
try:
    sys.exit(subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL, timeout=float(sys.argv[1])).returncode)
except subprocess.TimeoutExpired:
    sys.exit(f"It said nothing for {sys.argv[1]} seconds.")
END_OF_CODE
  cat "$folder/answer"
  [ "$code" = 0 ] && [ -s "$folder/answer" ] || die "It did not answer (exit code $code)."
}

tell_served() {
  local served
  served=$(($(requests) - before))
  [ "$served" -gt 0 ] || die "It answered, and yet not through maxpool."
  echo
  echo "$1 works behind maxpool; requests served: $served."
}
