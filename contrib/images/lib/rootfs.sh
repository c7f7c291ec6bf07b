# shellcheck shell=bash
# shellcheck disable=SC2154,SC2016 # variables of the script that reads this file, and of apt and mmdebstrap
# Debian's packages in a tar archive, made by mmdebstrap.

# The Debian sources of this machine where it runs the same suite; else mmdebstrap's default.
debian_sources() {
    apt-get indextargets --format \
        '$(ORIGIN)|$(CODENAME)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' "Architecture: $architecture" 2>/dev/null |
        sed -n "s/^Debian|${suite}[a-z-]*|//p" | sort -u
}

# How this machine reaches its archive (proxy, retries), for the build only.
acquire_options() {
    apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https|Retries|Check)' || true
}

dpkg_options() {
    cat <<'OPTIONS'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/share/bash-completion/*
OPTIONS
}

# fetch_rootfs RECIPE WORK: leaves WORK/packages.tar. Downloaded packages are kept for the next build.
fetch_rootfs() {
    local recipe=$1 work=$2 archives sources variant
    variant=$(recipe_cat "$recipe" variant | tail -n 1)
    archives=$(dirname "$(dirname "$work")")/packages/$(basename "$(recipe_chain "$recipe" | head -n 1)")
    mkdir -p "$archives"
    sources=$(debian_sources)
    dpkg_options >"$work/dpkg.cfg"
    acquire_options >"$work/apt.conf"
    recipe_cat "$recipe" dpkg-exclude | sed -n 's/^\//path-exclude=&/p' >>"$work/dpkg.cfg"
    printf '%s\n' "$sources" >"$work/sources.list"
    [[ $sources ]] || rm "$work/sources.list"
    TMPDIR=$work mmdebstrap --quiet --format=tar --variant="$variant" --architectures="$architecture" \
        --include="$(packages_of "$recipe" | paste -sd,)" \
        --aptopt="$work/apt.conf" --aptopt='Acquire::Languages "none"' --dpkgopt="$work/dpkg.cfg" \
        --skip=download/empty --skip=essential/unlink \
        --setup-hook="mkdir -p \"\$1/var/cache/apt/archives\"" \
        --setup-hook="sync-in '$archives' /var/cache/apt/archives" \
        --customize-hook="sync-out /var/cache/apt/archives '$archives'" \
        --customize-hook='rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"' \
        "$suite" "$work/packages.tar" ${sources:+"$work/sources.list"}
}
