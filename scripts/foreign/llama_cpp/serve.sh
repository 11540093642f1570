#!/bin/bash
# serve.sh PORT [llama-server option...]: llama.cpp's own server on loopback, with a model of random weights, until killed.
# serve.sh prepare: only what the first call would have to do. What fails says why on its last line of standard error.
# Needs root (debootstrap, a mount namespace). The first call takes a minute or two: it makes a chroot of Debian's
# newest suite, which has the package llama.cpp, from the mirror that this machine's apt uses. Later calls take a second.
# $HOME/.cache/mimo-servers (or XDG_CACHE_HOME) holds it.
set -eu
port=${1:?port}; shift
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" = 0 ] || { echo "it needs root, for a chroot and a mount namespace" >&2; exit 3; }
home=${XDG_CACHE_HOME:-$HOME/.cache}/mimo-servers; root=$home/sid
mkdir -p "$home"
exec 9>"$home/lock"; flock 9
if [ ! -e "$root/ok" ]; then
  command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq debootstrap >/dev/null; } ||
    { echo "debootstrap is not installed, and apt-get cannot install it" >&2; exit 3; }
  mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null | awk '$1 == "URIs:" {print $2; exit} $1 == "deb" {print $2; exit}')
  [ -n "$mirror" ] || { echo "no Debian mirror stands in apt's sources" >&2; exit 3; }
  rm -rf "$root"
  debootstrap --variant=minbase --include=ca-certificates sid "$root" "$mirror" >"$home/debootstrap.log" 2>&1 ||
    { echo "debootstrap fails: $(tail -n 1 "$home/debootstrap.log")" >&2; exit 3; }
  cp /etc/resolv.conf /etc/hosts "$root/etc/"; cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  echo 'Acquire::Check-Valid-Until "false"; Acquire::Check-Date "false";' >"$root/etc/apt/apt.conf.d/99dates"
  chroot "$root" env DEBIAN_FRONTEND=noninteractive bash -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends llama.cpp' >"$home/install.log" 2>&1 ||
    { echo "the package llama.cpp cannot be installed: $(tail -n 1 "$home/install.log")" >&2; exit 3; }
  touch "$root/ok"
fi
if [ ! -e "$root/tiny.gguf" ]; then
  python3 -m venv "$home/gguf" && "$home/gguf/bin/pip" install -q gguf numpy 2>/dev/null ||
    { echo "the packages gguf and numpy cannot be installed" >&2; exit 3; }
  "$home/gguf/bin/python" "$here/make_model.py" "$root/tiny.gguf"
fi
cp "$here/template.jinja" "$root/template.jinja"
flock -u 9
[ "$port" = prepare ] && exit 0
exec unshare --mount --propagation private bash -c '
  root=$1; shift
  mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"
  exec chroot "$root" llama-server -m /tiny.gguf --chat-template-file /template.jinja --jinja --host 127.0.0.1 -c 4096 -t 1 --port "$@"
' bash "$root" "$port" "$@"
