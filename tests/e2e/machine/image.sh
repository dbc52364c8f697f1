#!/bin/bash
# Makes FOLDER/SUITE: a Debian for a virtual machine (disk.ext4, vmlinuz, initrd.img, id_ed25519). As root, on Debian or Ubuntu with
# mmdebstrap, e2fsprogs and openssh-client; about three minutes. What is there already is kept.
#   tests/e2e/machine/image.sh FOLDER [trixie|bookworm]
set -euo pipefail
folder=${1:?usage: image.sh FOLDER [SUITE]} suite=${2:-trixie}
mirror=${MIRROR:-http://deb.debian.org/debian}
place=$folder/$suite
[ ! -f "$place/disk.ext4" ] || exit 0
mkdir -p "$place"
[ -f "$place/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C vedette-test -f "$place/id_ed25519"

packages=(
  # the machine itself
  linux-image-amd64 initramfs-tools systemd systemd-sysv systemd-resolved libpam-systemd dbus dbus-user-session udev openssh-server sudo kmod
  iproute2 iputils-ping procps psmisc ca-certificates netplan.io apparmor kbd dosfstools util-linux
  # what a device of Vedette's has
  bubblewrap python3 python3-venv libsdl2-2.0-0 libgl1-mesa-dri libgbm1 libegl1 libgles2
  # desktops, cameras
  weston xserver-xorg-core xserver-xorg-input-libinput xinit v4l-utils
)
root=$(mktemp -d "$place/root.XXXXXX")
chmod 755 "$root"
trap 'rm -rf "$root"' EXIT
mmdebstrap --quiet --variant=minbase --include="$(IFS=,; echo "${packages[*]}")" "$suite" "$root" "$mirror"

# Authorities that this machine trusts beyond Debian's, a proxy's say: the machine fetches through it.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo vedette-device >"$root/etc/hostname"
printf '127.0.0.1 localhost vedette-device\n' >"$root/etc/hosts"
printf '/dev/vda / ext4 errors=remount-ro 0 1\n' >"$root/etc/fstab"
install -d -m 700 "$root/root/.ssh"
install -m 600 "$place/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
cat >"$root/etc/systemd/network/80-dhcp.network" <<'END'
[Match]
Name=en* eth*
[Network]
DHCP=ipv4
[DHCPv4]
UseDomains=no
END
chroot "$root" systemctl --quiet enable systemd-networkd ssh
chroot "$root" systemctl --quiet mask systemd-networkd-wait-online apt-daily.timer apt-daily-upgrade.timer
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
cp "$root"/boot/vmlinuz-* "$place/vmlinuz"
cp "$root"/boot/initrd.img-* "$place/initrd.img"
mke2fs -q -t ext4 -L root -d "$root" "$place/disk.new" 12G
mv "$place/disk.new" "$place/disk.ext4"
