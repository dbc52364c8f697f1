#!/bin/sh
# Makes this machine a Greengrass core device. Run as root, from the unpacked archive:
#   sudo ./install.sh [--name THING]          --name is for archives with a claim; default: vedette-<serial number or machine id>
# It may be run again at any time: what is done is not done twice. Its log lies beside the archive's folder; private keys are
# moved to the nucleus's folder (mode 0600) and are gone from here afterwards.
# Without internet put the nucleus here first: greengrass-nucleus-VERSION.zip or aws-greengrass-lite-VERSION.deb, and for
# the Java nucleus a Java 8 or newer. For images: ROOT_PREFIX=/mnt/image ./install.sh writes below that folder and starts nothing.
set -eu
umask 077
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
prefix=${ROOT_PREFIX:-}
log=${here}.log
step=begin
say() { printf '%s\n' "$*" | tee -a "$log" >&2; }
ended() { code=$?; if [ "$code" -ne 0 ]; then say "error: step '$step' failed with exit code $code; the log is $log"; fi; }
trap ended EXIT
run() { printf '+ %s\n' "$*" >>"$log"; "$@" >>"$log" 2>&1; }

name=
while [ $# -gt 0 ]; do
  case "$1" in
    --name) name=${2:?--name takes the name of the thing}; shift 2 ;;
    *) echo "usage: sudo ./install.sh [--name THING]" >&2; exit 2 ;;
  esac
done
. "$here/settings"
if [ "$NUCLEUS" = lite ]; then root=/var/lib/greengrass; user=gg_component; group=gg_component; else root=/greengrass/v2; user=ggc_user; group=ggc_group; fi
if [ -z "$prefix" ] && [ "$(id -u)" != 0 ]; then echo "error: run it as root: sudo $0" >&2; exit 1; fi
if [ -n "$THING" ] && [ -n "$name" ] && [ "$name" != "$THING" ]; then
  echo "error: this archive is for the device $THING, not $name" >&2; exit 2
fi
serial=$(cat /sys/class/dmi/id/product_serial /proc/device-tree/serial-number /etc/machine-id 2>/dev/null | tr -d '\0' | head -n 1 | tr -cd 'A-Za-z0-9_-' | cut -c 1-60)
[ -n "$name" ] || name=${THING:-vedette-$serial}
printf '\n%s install %s on %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$name" "$(uname -srm)" >>"$log"
sed -n 's/^PRETTY_NAME=//p' /etc/os-release >>"$log" 2>/dev/null || true

step=claim
if [ -n "$CLAIM" ] && [ -n "$CLAIM_EXPIRES" ] && [ ! -f "$prefix$root/privKey.key" ] && [ "$(date +%s)" -gt "$CLAIM_EXPIRES" ]; then
  say "error: the claim expired at $CLAIM_EXPIRES_AT (this machine says it is $(date -u '+%Y-%m-%d %H:%M UTC')): make another, vedette device claim"
  exit 1
fi

step=network
if [ -f "$here/netplan.yaml" ]; then
  mkdir -p "$prefix/etc/netplan"
  if ! cmp -s "$here/netplan.yaml" "$prefix/etc/netplan/60-vedette.yaml"; then
    [ -n "$prefix" ] || command -v netplan >/dev/null || { say "error: the archive holds network settings, and this machine has no netplan"; exit 1; }
    cp "$here/netplan.yaml" "$prefix/etc/netplan/60-vedette.yaml.new"
    chmod 600 "$prefix/etc/netplan/60-vedette.yaml.new"
    mv -f "$prefix/etc/netplan/60-vedette.yaml.new" "$prefix/etc/netplan/60-vedette.yaml"
    if [ -z "$prefix" ]; then
      run netplan generate || { rm -f /etc/netplan/60-vedette.yaml; say "error: netplan does not take the archive's network settings"; exit 1; }
      say "setting up the network as the archive says"
      run netplan apply
    fi
  fi
fi

step=users
if [ -z "$prefix" ]; then
  getent group "$group" >/dev/null || run groupadd --system "$group"
  getent passwd "$user" >/dev/null || run useradd --system --gid "$group" --create-home --shell /usr/sbin/nologin "$user"
  # Cameras and displays that are devices of this machine.
  for extra in video render; do if getent group "$extra" >/dev/null; then run usermod -a -G "$extra" "$user"; fi; done
fi

mend_packages() { # that a loss of power left half unpacked
  broken=$(dpkg-query -W -f '${db:Status-Eflag} ${Package}\n' 2>/dev/null | sed -n 's/^reinstreq //p' | tr '\n' ' ')
  # shellcheck disable=SC2086
  [ -z "$broken" ] || run env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --reinstall $broken || true
  run dpkg --configure -a || run env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -f
}
step=packages
if [ -z "$prefix" ]; then
  wanted=
  # What runs, not what is there: power may have been lost while it was unpacked.
  bwrap --version >/dev/null 2>&1 || wanted="$wanted bubblewrap"
  python3 -c 'import ssl, urllib.request, zipfile' >/dev/null 2>&1 || wanted="$wanted python3"
  if [ "$NUCLEUS" = java ] && ! command -v java >/dev/null; then wanted="$wanted default-jre-headless"; fi
  if [ -n "$wanted" ]; then
    say "installing$wanted"
    # shellcheck disable=SC2086
    run apt-get update && mend_packages && run env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $wanted ||
      { say "error: could not install$wanted: put them on the machine before, for example from a local repository"; exit 1; }
  fi
  if [ -e /etc/apparmor.d/bwrap-userns-restrict ]; then
    # Ubuntu 25.04 and later have a profile of their own; ours is left of an older release. Of two, the kernel applies neither.
    if [ -e /etc/apparmor.d/bwrap-vedette ]; then
      run apparmor_parser -R /etc/apparmor.d/bwrap-vedette || true
      run rm -f /etc/apparmor.d/bwrap-vedette
    fi
  elif [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null || echo 0)" = 1 ]; then
    run install -m 0644 "$here/bwrap-vedette" /etc/apparmor.d/bwrap-vedette
    run apparmor_parser -r /etc/apparmor.d/bwrap-vedette
  fi
fi

step=python
python=
for version in 3.13 3.12 3.11 3.10; do
  for each in "$prefix/usr/bin/python$version" "$prefix/usr/local/bin/python$version"; do if [ -x "$each" ]; then python=$each; fi; done
  if [ -z "$prefix" ] && command -v "python$version" >/dev/null; then python=$version; fi
done
# Ubuntu 20.04 and JetPack 5 bring 3.8. The nucleus does not mind; vedette.Runtime would say so at the first deployment.
[ -n "$python" ] || say "note: there is no Python 3.10 to 3.13, which the components need: install one beside the system's (python3.10 to python3.13 on the path)"

step=keys
mkdir -p "$prefix$root"
# Components' users pass through both; what is secret in there has its own mode.
chmod 755 "$(dirname "$prefix$root")" "$prefix$root"
rotated=
keep() { # source, target: moved in one go, so that a key is never here and there after power is back
  if [ -f "$here/$1" ]; then
    if [ -f "$2" ] && ! cmp -s "$here/$1" "$2"; then rotated=yes; fi
    cp "$here/$1" "$2.new"; chmod 600 "$2.new"; sync; mv -f "$2.new" "$2"
  fi
  [ -f "$2" ] || { say "error: $here/$1 is missing, and $2 is not there either: provision the device again"; exit 1; }
}
place="$prefix$root"
[ -z "$CLAIM" ] || { place="$prefix$root/claim"; mkdir -p "$place"; chmod 700 "$place"; }
if [ -z "$CLAIM" ] && [ -f "$prefix$root/privKey.key" ]; then
  # A device that came by a claim has its own key under these names.
  keep private.key "$prefix$root/privKey.key"
  keep certificate.pem "$prefix$root/thingCert.crt"
elif [ -z "$CLAIM" ] || [ ! -f "$prefix$root/privKey.key" ]; then
  keep private.key "$place/private.key"
  keep certificate.pem "$place/certificate.pem"
fi
cp "$here/rootCA.pem" "$prefix$root/rootCA.pem"
chmod 644 "$prefix$root/rootCA.pem"

step=rights
if [ -d "$prefix/etc/sudoers.d" ]; then
  # For device jobs: components may restart the machine, and nothing else. sudo leaves out names with a dot.
  echo "$user ALL=(root) NOPASSWD: /usr/bin/systemctl reboot" >"$prefix/etc/sudoers.d/vedette.new"
  chmod 440 "$prefix/etc/sudoers.d/vedette.new"
  mv -f "$prefix/etc/sudoers.d/vedette.new" "$prefix/etc/sudoers.d/vedette"
else
  say "note: without sudo, jobs cannot restart this machine"
fi

step=configuration
config="$prefix$root/initial-config.yaml"
sed -e "s|@ROOT@|$root|g" -e "s|@NAME@|$name|g" -e "s|@SERIAL@|$serial|g" "$here/config.yaml" >"$config.new"
mv -f "$config.new" "$config"

step=wipe
mkdir -p "$prefix/usr/local/sbin"
install -m 0755 "$here/wipe.sh" "$prefix/usr/local/sbin/vedette-wipe"

step=fips
if [ -n "$FIPS" ]; then
  # For the SDKs of components, which get the nucleus's environment; the nucleus has its own setting.
  mkdir -p "$prefix/etc/systemd/system/greengrass.service.d"
  printf '[Service]\nEnvironment=AWS_USE_FIPS_ENDPOINT=true\n' >"$prefix/etc/systemd/system/greengrass.service.d/fips.conf"
fi

step=nucleus
if [ "$NUCLEUS" = java ]; then
  if [ ! -e "$prefix$root/alts/current/distro/lib/Greengrass.jar" ]; then
    zip=$(find "$here" -maxdepth 1 -name 'greengrass-nucleus*.zip' | head -n 1)
    if [ -z "$zip" ]; then
      zip=$here/greengrass-nucleus-$NUCLEUS_VERSION.zip
      say "fetching nucleus $NUCLEUS_VERSION"
      run python3 -c 'import sys, urllib.request as u; u.urlretrieve(sys.argv[1], sys.argv[2])' \
        "https://d2s8p88vqu9w66.cloudfront.net/releases/greengrass-$NUCLEUS_VERSION.zip" "$zip.new"
      mv "$zip.new" "$zip"
    fi
    run python3 -m zipfile -e "$zip" "$here/nucleus"
    set -- --init-config "$config" --component-default-user "$user:$group" --setup-system-service true
    [ -z "$prefix" ] || set -- "$@" --start false
    if [ -n "$CLAIM" ]; then
      plugin=$(find "$here" -maxdepth 1 -name '*FleetProvisioningByClaim*.jar' | head -n 1)
      [ -n "$plugin" ] || { say "error: put aws.greengrass.FleetProvisioningByClaim.jar into $here"; exit 1; }
      set -- --trusted-plugin "$plugin" "$@"
    fi
    say "installing nucleus $NUCLEUS_VERSION as $name"
    # Not with this script's umask: components' users read what the nucleus unpacks.
    umask 022
    run java "-Droot=$prefix$root" -Dlog.store=FILE -jar "$here/nucleus/lib/Greengrass.jar" "$@"
  fi
else
  if [ -z "$prefix" ] && ! command -v ggl-cli >/dev/null; then
    deb=$(find "$here" -maxdepth 1 -name 'aws-greengrass-lite*.deb' | head -n 1)
    [ -n "$deb" ] || { say "error: put aws-greengrass-lite-VERSION.deb into $here"; exit 1; }
    run apt-get install -y "$deb"
  fi
  mkdir -p "$prefix/etc/greengrass"
  cp "$config" "$prefix/etc/greengrass/config.yaml"
  chmod 644 "$prefix/etc/greengrass/config.yaml"
  if [ -z "$prefix" ]; then
    run chown -R ggcore:ggcore "$root"
    run systemctl enable --now greengrass-lite.target
  fi
fi

step=restart
if [ -n "$rotated" ] && [ -z "$prefix" ]; then
  say "a certificate of its own was there before: the nucleus starts anew with the new one"
  if [ "$NUCLEUS" = java ]; then run systemctl restart greengrass; else run systemctl restart greengrass-lite.target; fi
fi

step=clean
for secret in private.key certificate.pem; do
  if [ -f "$here/$secret" ]; then shred -u "$here/$secret" 2>/dev/null || rm -f "$here/$secret"; fi
done
rm -f "$here.tar.gz"
step=done
say "done: $name; vedette device describe $name shows it as soon as it has reported"
