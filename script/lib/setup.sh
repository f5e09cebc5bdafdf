# Sourced by the scripts beside this folder: says what happens, and installs what is missing.
# Debian and its relatives get their packages from apt; elsewhere the missing ones are named and that is all.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# What building the binary takes.
BUILD_PACKAGES="build-essential pkg-config clang libclang-dev libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libswresample-dev libsqlite3-dev"
# What the tests drive Retroview with: real senders, servers, players and a browser.
TEST_PACKAGES="ffmpeg mpv chromium sqlite3 mount nginx libnginx-mod-rtmp python3 python3-gi gir1.2-gst-rtsp-server-1.0 gir1.2-gst-plugins-base-1.0 gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav curl"

# install_packages NAME…: installs those that are not there.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: make sure that these are installed under the names they have here: $*"
    return
  fi
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "these packages are missing and there is no sudo to install them: ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing Debian packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Node.js 18.19 or later: what Debian 12 has.
ensure_node() {
  new_enough() { node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 18 || (a === 18 && b >= 19) ? 0 : 1)'; }
  command -v node >/dev/null && command -v npm >/dev/null || install_packages nodejs npm
  command -v npm >/dev/null && new_enough || die "Node.js 18.19 or later is needed: see https://nodejs.org, then run this again"
}

ensure_rust() {
  if ! command -v cargo >/dev/null && [ -r "$HOME/.cargo/env" ]; then . "$HOME/.cargo/env"; fi
  command -v cargo >/dev/null || die "Rust is missing: see https://rustup.rs, then run this again"
}

# build_web: web/dist, from package-lock.json. Skipped when nothing under web/ changed since it was built.
build_web() {
  [ -f web/package.json ] || return 0
  web_dependencies
  local stamp=web/dist/.built
  if [ -f "$stamp" ] && [ -z "$(find web -newer "$stamp" -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' -not -path 'web/test-results/*' -print -quit)" ]; then return 0; fi
  say "building the web app"
  (cd web && npm run --silent build)
  touch "$stamp"
}

web_dependencies() {
  ensure_node
  if [ ! -f web/node_modules/.package-lock.json ] || [ web/package-lock.json -nt web/node_modules/.package-lock.json ]; then
    say "installing the web app's dependencies (npm ci)"
    (cd web && npm ci --loglevel=error --no-audit --no-fund)
    touch web/node_modules/.package-lock.json
  fi
}
