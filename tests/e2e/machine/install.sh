#!/bin/bash
# Puts a wheel of Vedette into a copy of an image, with pip as a user would; as root. The machine itself may be emulated, and slow.
#   tests/e2e/machine/install.sh FOLDER/SUITE WHEEL DISK
set -euo pipefail
image=${1:?usage: install.sh IMAGE WHEEL DISK} wheel=${2:?} disk=${3:?}
cp --sparse=always "$image/disk.ext4" "$disk.new"
mounted=$(mktemp -d)
trap 'umount -R "$mounted" 2>/dev/null || true; rmdir "$mounted"' EXIT
mount -o loop "$disk.new" "$mounted"
mount -t proc proc "$mounted/proc"
mount --bind /dev "$mounted/dev"
# Where the machine's own /etc/resolv.conf leads; /run is empty when it starts.
mkdir -p "$mounted/run/systemd/resolve"
cp /etc/resolv.conf "$mounted/run/systemd/resolve/stub-resolv.conf"
cp "$wheel" "$mounted/tmp"
# Without this machine's settings of pip; a proxy is its way out.
clean=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin ${https_proxy:+https_proxy="$https_proxy"} ${http_proxy:+http_proxy="$http_proxy"})
"${clean[@]}" chroot "$mounted" sh -c "python3 -m venv /opt/vedette && /opt/vedette/bin/pip install -q --no-cache-dir --cert /etc/ssl/certs/ca-certificates.crt /tmp/$(basename "$wheel")"
rm "$mounted/tmp/$(basename "$wheel")"
rm -r "$mounted/run/systemd"
umount -R "$mounted"
mv "$disk.new" "$disk"
