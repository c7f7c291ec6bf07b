/* SPDX-License-Identifier: Apache-2.0 */
#include "run/inside.h"

#include "lab/access.h"

static const char common[] =
	"export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C\n"
	"code=0\n"
	"fail() { echo \"$*\" >&2; code=1; }\n"
	"by_hand() { echo \"$*\" >&2; [ $code = 1 ] || code=3; }\n"
	"has() { command -v \"$1\" >/dev/null; }\n";

/* find_disk SERIAL: virtio says it in one file, SCSI in a page with a header of four bytes.
 * mount_of DEVICE: sets $where (empty: it is not mounted) and $type; btrfs is known there by its name only. */
static const char disks[] =
	"serial_of() {\n"
	"  if [ -s \"$1/serial\" ]; then cat \"$1/serial\"\n"
	"  elif [ -r \"$1/device/vpd_pg80\" ]; then tail -c +5 \"$1/device/vpd_pg80\" | tr -d ' \\000'\n"
	"  fi\n"
	"}\n"
	"find_disk() {\n"
	"  for folder in /sys/block/*; do\n"
	"    [ \"$(serial_of \"$folder\")\" = \"$1\" ] && { echo \"${folder##*/}\"; return; }\n"
	"  done\n"
	"}\n"
	"mount_of() {\n"
	"  where= type=\n"
	"  number=$(cat \"/sys/class/block/$1/dev\")\n"
	"  while read -r id parent device root point options rest; do\n"
	"    rest=${rest#*- }\n"
	"    source=${rest#* }\n"
	"    source=${source%% *}\n"
	"    [ \"$device\" = \"$number\" ] || [ \"$source\" = \"/dev/$1\" ] || continue\n"
	"    where=$(printf '%b' \"$point\")\n"
	"    type=${rest%% *}\n"
	"    [ \"$where\" != / ] || return 0\n"
	"  done </proc/self/mountinfo\n"
	"}\n";

static const char grow[] =
	"type_of() {\n"
	"  ! has blkid || blkid \"/dev/$1\" | sed -n 's/.* TYPE=\"\\([A-Za-z0-9_]*\\)\".*/\\1/p'\n"
	"}\n"
	"last_partition() {\n"
	"  most=-1\n"
	"  for folder in /sys/block/\"$1\"/\"$1\"*; do\n"
	"    [ -r \"$folder/start\" ] || continue\n"
	"    begin=$(cat \"$folder/start\")\n"
	"    [ \"$begin\" -le $most ] || { most=$begin; last=${folder##*/}; }\n"
	"  done\n"
	"  [ $most = -1 ] || echo \"$last\"\n"
	"}\n"
	/* sectors behind a partition; a partition table may keep 34 of them, and tools round to 2048 */
	"behind() {\n"
	"  echo $(($(cat \"/sys/block/$1/size\") - $(cat \"/sys/class/block/$2/start\") - $(cat \"/sys/class/block/$2/size\")))\n"
	"}\n"
	"grow_partition() {\n"
	"  [ \"$(behind \"$1\" \"$2\")\" -gt 4096 ] || return 0\n"
	"  nth=$(cat \"/sys/class/block/$2/partition\")\n"
	"  if has sfdisk; then said=$(echo ', +' | sfdisk --force --no-reread -N \"$nth\" \"/dev/$1\" 2>&1)\n"
	"  elif has growpart; then said=$(growpart \"/dev/$1\" \"$nth\" 2>&1)\n"
	"  else by_hand \"disk '$serial': no program to grow partition /dev/$2 (sfdisk or growpart); grow it and what is on it by hand\"; return 1\n"
	"  fi || { fail \"disk '$serial': partition /dev/$2 cannot be grown: $(echo \"$said\" | tail -n 1)\"; return 1; }\n"
	"  [ \"$(behind \"$1\" \"$2\")\" -gt 4096 ] || return 0\n"
	"  ! has partx || partx --update --nr \"$nth\" \"/dev/$1\" >/dev/null 2>&1\n"
	"  [ \"$(behind \"$1\" \"$2\")\" -gt 4096 ] || return 0\n"
	"  by_hand \"disk '$serial': the kernel still has the old size of partition /dev/$2; restart the node, then grow what is on it\"\n"
	"  return 1\n"
	"}\n"
	/* DEVICE PROGRAM COMMAND... */
	"run_tool() {\n"
	"  device=$1\n"
	"  shift\n"
	"  has \"$1\" || { by_hand \"disk '$serial': the program $1 is missing to grow the file system on /dev/$device\"; return 1; }\n"
	"  said=$(\"$@\" 2>&1) || { fail \"disk '$serial': the file system on /dev/$device cannot be grown: $(echo \"$said\" | tail -n 1)\"; return 1; }\n"
	"}\n"
	"grow_ext() {\n"
	"  if [ -z \"$where\" ]; then\n"
	"    has e2fsck || { by_hand \"disk '$serial': the program e2fsck is missing to grow the file system on /dev/$1\"; return; }\n"
	"    e2fsck -f -p \"/dev/$1\" >/dev/null 2>&1\n"
	"    [ $? -le 1 ] || { fail \"disk '$serial': the file system on /dev/$1 has errors; run e2fsck, then resize2fs\"; return; }\n"
	"  fi\n"
	"  run_tool \"$1\" resize2fs \"/dev/$1\"\n"
	"}\n"
	/* These grow only where they are mounted. */
	"grow_mounted() {\n"
	"  target=$1\n"
	"  temporary=\n"
	"  if [ -z \"$where\" ]; then\n"
	"    temporary=$(mktemp -d) && mount \"/dev/$target\" \"$temporary\" || { fail \"disk '$serial': /dev/$target cannot be mounted\"; return; }\n"
	"    where=$temporary\n"
	"  fi\n"
	"  case $type in\n"
	"    xfs) run_tool \"$target\" xfs_growfs \"$where\" ;;\n"
	"    btrfs) run_tool \"$target\" btrfs filesystem resize max \"$where\" ;;\n"
	"  esac\n"
	"  [ -z \"$temporary\" ] || { umount \"$temporary\"; rmdir \"$temporary\"; }\n"
	"}\n"
	"grow_on() {\n"
	"  mount_of \"$1\"\n"
	"  type=${type:-$(type_of \"$1\")}\n"
	"  case $type in\n"
	"    ext2 | ext3 | ext4) grow_ext \"$1\" ;;\n"
	"    xfs | btrfs) grow_mounted \"$1\" ;;\n"
	"    '') ;;\n"
	"    *) by_hand \"disk '$serial': /dev/$1 holds $type, which nestplan does not grow; grow it by hand\" ;;\n"
	"  esac\n"
	"}\n"
	"grow() {\n"
	"  serial=$1\n"
	"  disk=$(find_disk \"$serial\")\n"
	"  [ -n \"$disk\" ] || { by_hand \"disk '$serial' is not found by its serial number; grow what is on it by hand\"; return; }\n"
	/* SATA does not tell the guest. */
	"  [ ! -w \"/sys/block/$disk/device/rescan\" ] || echo 1 >\"/sys/block/$disk/device/rescan\"\n"
	"  last=$(last_partition \"$disk\")\n"
	"  if [ -z \"$last\" ]; then grow_on \"$disk\"\n"
	"  elif grow_partition \"$disk\" \"$last\"; then grow_on \"$last\"\n"
	"  fi\n"
	"}\n";

static const char release[] =
	"release() {\n"
	"  serial=$1\n"
	"  disk=$(find_disk \"$serial\")\n"
	"  [ -n \"$disk\" ] || return 0\n"
	"  for folder in /sys/block/\"$disk\" /sys/block/\"$disk\"/\"$disk\"*; do\n"
	"    [ -e \"$folder/dev\" ] || continue\n"
	"    part=${folder##*/}\n"
	"    while mount_of \"$part\"; [ -n \"$where\" ]; do\n"
	"      umount \"$where\" 2>/dev/null || { fail \"disk '$serial' is in use: $where cannot be unmounted\"; return; }\n"
	"    done\n"
	"    ! grep -q \"^/dev/$part \" /proc/swaps || swapoff \"/dev/$part\" || fail \"disk '$serial' is in use: it is swapped to\"\n"
	"    [ -z \"$(ls \"$folder/holders\" 2>/dev/null)\" ] || fail \"disk '$serial' is in use: by $(ls \"$folder/holders\" | tr '\\n' ' ')\"\n"
	"  done\n"
	"}\n";

static char *for_each(const char *functions, const char *verb, const GPtrArray *serials)
{
	GString *script = g_string_new(common);
	g_string_append(script, disks);
	g_string_append(script, functions);
	for (guint i = 0; i < serials->len; i++) {
		g_autofree char *serial = g_shell_quote(g_ptr_array_index(serials, i));
		g_string_append_printf(script, "%s %s\n", verb, serial);
	}
	g_string_append(script, "exit $code\n");
	return g_string_free(script, FALSE);
}

char *np_inside_grow(const GPtrArray *serials)
{
	return for_each(grow, "grow", serials);
}

char *np_inside_release(const GPtrArray *serials)
{
	return for_each(release, "release", serials);
}

/* A plugged vCPU is announced some time after libvirt has it. */
char *np_inside_vcpus(guint64 vcpus)
{
	return g_strdup_printf(
		"%s"
		"cd /sys/devices/system/cpu || exit 1\n"
		"tries=0\n"
		"until [ \"$(ls -d cpu[0-9]* | wc -l)\" -ge %" G_GUINT64_FORMAT " ] || [ $tries -ge 100 ]; do\n"
		"  tries=$((tries + 1))\n"
		"  sleep 0.2\n"
		"done\n"
		"for cpu in cpu[0-9]*; do\n"
		"  [ ! -e $cpu/online ] || [ \"$(cat $cpu/online)\" = 1 ] || echo 1 >$cpu/online || fail \"$cpu cannot be brought online\"\n"
		"done\n"
		"online=$(grep -c '^processor' /proc/cpuinfo)\n"
		"[ \"$online\" -ge %" G_GUINT64_FORMAT " ] || fail \"only $online of %" G_GUINT64_FORMAT " vCPUs are online\"\n"
		"exit $code\n",
		common, vcpus, vcpus, vcpus);
}

/* Those that are to be there are taken out as well, so none is there twice. */
char *np_inside_keys(const char *before, const char *const *keys)
{
	g_autofree char *ids = np_access_keys_id(keys);
	GString *script = g_string_new(common);
	g_string_append_printf(script,
		"has sha256sum || { by_hand 'it has no sha256sum: change /root/.ssh/authorized_keys by hand'; exit $code; }\n"
		"umask 077\n"
		"file=/root/.ssh/authorized_keys\n"
		"mkdir -p /root/.ssh && touch $file && cp -p $file $file.new || { fail \"$file cannot be written\"; exit $code; }\n"
		"{\n"
		"  while IFS= read -r line || [ -n \"$line\" ]; do\n"
		"    id=$(printf '%%s' \"$line\" | sha256sum | cut -c1-%d)\n"
		"    [ -n \"$id\" ] || code=1\n"
		"    case ' %s %s ' in *\" $id \"*) ;; *) printf '%%s\\n' \"$line\" || code=1 ;; esac\n"
		"  done <$file || code=1\n"
		"  cat <<'END OF KEYS' || code=1\n", NP_KEY_DIGITS, before, ids);
	for (; *keys; keys++)
		g_string_append_printf(script, "%s\n", *keys);
	g_string_append(script,
		"END OF KEYS\n"
		"} >$file.new || code=1\n"
		/* Half of them would lock the lab out. */
		"[ $code = 0 ] && mv $file.new $file || { rm -f $file.new; fail \"$file cannot be written\"; }\n"
		"exit $code\n");
	return g_string_free(script, FALSE);
}
