# What packaging/run and packaging/test share: find Python, make the environment, bring Qt's system libraries.
# Sourced, not run. Everything that is installed comes from the package registries of pip and apt.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
env_dir=${PHOTOPIPE_ENV:-$top/.venv}
python=$env_dir/bin/python
qt_packages="libegl1 libgl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libfreetype6 libxkbcommon0 libxkbcommon-x11-0
 libx11-xcb1 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0
 libxcb-shm0 libxcb-sync1 libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1 fonts-dejavu-core"
updated=no

say() { printf '%s\n' "$*"; }

# Run a command as root when that is possible without asking for a password.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 1
    fi
}

# Install packages of the system; quiet, and false when it cannot be done.
system_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    as_root true || return 1
    if [ $updated = no ]; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null 2>&1
        updated=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

# Name the first Python that is new enough.
find_python() {
    local name
    for name in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
        [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 || continue
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

# Make the virtual environment, by the first way that works.
make_environment() {
    local base tools
    base=$(find_python) || { say "Python 3.11 or newer is needed and was not found. Install it, or set PYTHON to it."; return 1; }
    say "Making a virtual environment in $env_dir with $base."
    "$base" -m venv "$env_dir" >/dev/null 2>&1 && [ -x "$python" ] && "$python" -m pip --version >/dev/null 2>&1 && return 0
    rm -rf "$env_dir"
    # Debian and Ubuntu keep venv in a package of its own.
    if system_install python3-venv && "$base" -m venv "$env_dir" >/dev/null 2>&1 && "$python" -m pip --version >/dev/null 2>&1; then
        return 0
    fi
    rm -rf "$env_dir"
    tools=$(mktemp -d)
    if "$base" -m pip install -qq --disable-pip-version-check --target "$tools" virtualenv &&
        PYTHONPATH=$tools "$base" -m virtualenv --quiet "$env_dir"; then
        rm -rf "$tools"
        return 0
    fi
    rm -rf "$tools" "$env_dir"
    say "No virtual environment can be made. As root: apt-get install python3-venv python3-pip; then call this again."
    return 1
}

# Install the package with the extras named ('' or 'test'), unless that was done for this very pyproject.toml.
install_package() {
    local extras=$1 stamp mark
    mark=$env_dir/.photopipe-$([ -n "$extras" ] && echo "$extras" || echo run)
    stamp=$(cksum < "$top/pyproject.toml"; echo "$top")
    [ -x "$python" ] && [ "$(cat "$mark" 2>/dev/null)" = "$stamp" ] && return 0
    [ -x "$python" ] || make_environment || return 1
    say "Installing photopipe_gui and what it needs; this takes a minute or two, once."
    if ! "$python" -m pip install -qq --disable-pip-version-check --editable "$top${extras:+[$extras]}"; then
        say "The installation failed: see the lines above. It needs the Python package index, or a mirror set for pip."
        return 1
    fi
    printf '%s\n' "$stamp" > "$mark"
}

# Say which libraries of the system Qt lacks, one a line; nothing when it is complete.
missing_libraries() {
    local qt
    qt=$("$python" -c 'import importlib.util as u, pathlib; print(pathlib.Path(u.find_spec("PyQt6").origin).parent)') || return 0
    # One plugin that is not found is enough of an answer; their own Qt libraries lie beside them.
    ldd "$qt"/QtWidgets*.so "$qt"/QtGui*.so "$qt"/Qt6/plugins/platforms/libqxcb.so \
        "$qt"/Qt6/plugins/platforms/libqoffscreen.so 2>/dev/null | awk '/not found/ {print $1}' | sort -u
}

# Bring the libraries that Qt needs from the system, when some are missing and they can be installed.
install_libraries() {
    local missing mark=$env_dir/.photopipe-qt
    [ "$(uname -s)" = Linux ] || return 0
    [ -e "$mark" ] && return 0
    missing=$(missing_libraries)
    if [ -n "$missing" ]; then
        say "Qt needs libraries of the system that are missing: $(echo $missing). Installing them."
        # Names differ between releases (libglib2.0-0t64): what the whole list cannot do, single packages may.
        system_install $qt_packages || for name in $qt_packages; do system_install "$name" || true; done
        missing=$(missing_libraries)
    fi
    if [ -n "$missing" ]; then
        say "Qt still lacks $(echo $missing), and they cannot be installed from here (no root, or no apt)."
        say "As root: apt-get install" $qt_packages
        return 1
    fi
    : > "$mark"
}
