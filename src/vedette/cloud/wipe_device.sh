#!/bin/sh
# Erases what the nucleus and Vedette keep on this machine: applications, models, recordings, logs, configuration, keys and
# passwords. Needed before disposal, and before the device belongs to another account or Region. Run as root:
#   sudo vedette-wipe THING                   THING: the name of this device, so that it is never done by mistake
# AWS's side is not touched: that is `vedette device decommission`. It may be run again at any time, also after power was lost in
# the midst of it. For images: ROOT_PREFIX=/mnt/image ./wipe.sh THING erases below that folder and stops nothing.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
prefix=${ROOT_PREFIX:-}
step=begin
say() { printf '%s\n' "$*" >&2; }
ended() { code=$?; if [ "$code" -ne 0 ] && [ "$step" != begin ]; then say "error: step '$step' failed with exit code $code; run it again"; fi; }
trap ended EXIT

[ $# -eq 1 ] || { echo "usage: sudo $0 THING" >&2; exit 2; }
if [ -z "$prefix" ] && [ "$(id -u)" != 0 ]; then echo "error: run it as root: sudo $0 $1" >&2; exit 1; fi
known=
for file in "$prefix/greengrass/v2/initial-config.yaml" "$prefix/var/lib/greengrass/initial-config.yaml" "$prefix/etc/greengrass/config.yaml"; do
  if [ -z "$known" ] && [ -f "$file" ]; then known=$(sed -n 's/^ *thingName: *["'\'']\{0,1\}\([^"'\'' ]*\).*/\1/p' "$file" | head -n 1); fi
done
if [ -n "$known" ] && [ "$known" != "$1" ]; then echo "error: this device is $known, not $1; nothing was erased" >&2; exit 2; fi

step=stop
if [ -z "$prefix" ]; then
  for unit in greengrass.service greengrass-lite.target $(systemctl list-units --all --plain --no-legend 'ggl.*' 2>/dev/null | cut -d ' ' -f 1); do
    systemctl disable --now "$unit" 2>/dev/null || systemctl stop "$unit" 2>/dev/null || true
  done
  for user in ggc_user gg_component; do pkill -KILL -u "$user" 2>/dev/null || true; done
fi

step=keys
# On a disk that rewrites its blocks elsewhere, only encryption keeps what was once written from being read.
for place in "$prefix/greengrass" "$prefix/var/lib/greengrass"; do
  if [ -d "$place" ]; then
    find "$place" -xdev -type f \( -name '*.key' -o -name '*.pem' -o -name '*.db' -o -name '*secret*' -o -name '*credential*' \) -exec shred -u {} + 2>/dev/null || true
  fi
done

step=files
rm -rf "$prefix/greengrass/v2" "$prefix/var/lib/greengrass" "$prefix/etc/greengrass" "$prefix/run/greengrass"
rmdir "$prefix/greengrass" 2>/dev/null || true
# Removing the file alone leaves the profile in the kernel until the machine is started anew.
if [ -z "$prefix" ] && [ -f /etc/apparmor.d/bwrap-vedette ]; then apparmor_parser -R /etc/apparmor.d/bwrap-vedette 2>/dev/null || true; fi
rm -f "$prefix/etc/apparmor.d/bwrap-vedette" "$prefix/etc/systemd/system/greengrass.service"
rm -f "$prefix"/etc/systemd/system/ggl.*.service
rm -rf "$prefix/home/ggc_user" "$prefix/home/gg_component"
for place in "$prefix/tmp" "$prefix/var/tmp" "$prefix/dev/shm"; do
  [ -d "$place" ] || continue
  find "$place" -mindepth 1 -maxdepth 1 -name 'vedette*' -exec rm -rf {} +
  for user in ggc_user gg_component; do
    if id "$user" >/dev/null 2>&1; then find "$place" -mindepth 1 -maxdepth 1 -user "$user" -exec rm -rf {} +; fi
  done
done

step=users
if [ -z "$prefix" ]; then
  systemctl daemon-reload 2>/dev/null || true
  for user in ggc_user gg_component; do
    if getent passwd "$user" >/dev/null; then userdel -r "$user" 2>/dev/null || userdel "$user"; fi
    if getent group "$user" >/dev/null; then groupdel "$user" || true; fi
  done
  if getent group ggc_group >/dev/null; then groupdel ggc_group || true; fi
fi

step=journal
# What components print is in the journal, with nucleus lite all of it: the whole journal of this machine goes.
if [ -z "$prefix" ] && command -v journalctl >/dev/null; then
  journalctl --rotate >/dev/null 2>&1 || true
  journalctl --vacuum-time=1s >/dev/null 2>&1 || true
fi

step=installer
if [ -f "$here/settings" ] && [ -f "$here/install.sh" ]; then rm -rf "$here" "$here.log" "$here.tar.gz"; fi
rm -f "$prefix/usr/local/sbin/vedette-wipe"
sync
step=done
say "done: nothing of $1 is left here; the packages that its installer added are. Its entry in AWS: vedette device decommission $1"
