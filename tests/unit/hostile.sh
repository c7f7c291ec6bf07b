#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Input that was made to hurt: each ends within 2 s and 256 MB with an error that says what is the matter. What is held here is
# twice that, in seconds of CPU, since the machine may be busy. Under sanitizers only the message is looked at, for those take
# many times the time and memory.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../lint/lib.bash"

readonly seconds=4 kib=$((256 * 1024))
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# check NAME WORDS [FILE]: the file (default $folder/NAME) is refused with WORDS.
check() {
    local name=$1 words=$2 file=${3:-$folder/$1} code=0 out used
    out=$(/usr/bin/time -f '%U %S %M' -o "$folder/used" timeout 60 "$nestplan" validate "$file" 2>&1 </dev/null) || code=$?
    ((code == 3)) || complain "$name: exits with $code, not 3: ${out:0:300}"
    [[ $out == *"$words"* ]] || complain "$name: does not say '$words': ${out:0:300}"
    ((${#out} < 600000)) || complain "$name: says ${#out} characters"
    used=$(tail -n 1 "$folder/used")
    [[ -n ${NESTPLAN_SANITIZE-} ]] ||
        awk -v s="$seconds" -v k="$kib" '{exit !($1 + $2 <= s && $3 <= k)}' <<<"$used" ||
        complain "$name: takes $used (user s, system s, KiB)"
    ! ${VERBOSE:-false} || echo "$name: $used"
}

repeat() {
    awk -v n="$1" -v t="$2" 'BEGIN {for (i = 0; i < n; i++) printf "%s", t}'
}

head=$'version: 1\nname: a\nimages: {t: {source: t}}\ndefaults: {image: t, memory: 64MiB, vcpus: 1}\n'

printf 'version: 1\nversion: 1\n' >"$folder/duplicate"
check duplicate 'there twice'
(printf '%snodes:\n' "$head"; repeat 100000 $'  a: {}\n') >"$folder/duplicates"
check duplicates 'there twice'
printf 'version: 1\nname: !!python/object/apply:os.system [id]\n' >"$folder/tag"
check tag 'tag'
printf 'a: &a [*a]\n' >"$folder/cyclic"
check cyclic 'contains itself'
{
    printf 'version: 1\nname: a\nx0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n'
    for i in {1..30}; do printf 'x%d: &x%d [*x%d, *x%d, *x%d, *x%d, *x%d, *x%d, *x%d, *x%d, *x%d]\n' "$i" "$i" \
        $((i - 1)) $((i - 1)) $((i - 1)) $((i - 1)) $((i - 1)) $((i - 1)) $((i - 1)) $((i - 1)) $((i - 1)); done
} >"$folder/laughs"
check laughs 'aliases of this file'
{
    printf '%stypes:\n  t0: &t0 {vcpus: 1}\n' "$head"
    for i in {1..2000}; do printf '  t%d: &t%d {<<: [*t%d, *t%d]}\n' "$i" "$i" $((i - 1)) $((i - 1)); done
    printf 'nodes: {a: {type: t2000, nope: 1}}\n'
} >"$folder/merges"
check merges 'unknown key'
repeat 10000 '[' >"$folder/depth-flow"
check depth-flow 'nested more than'
awk 'BEGIN {for (i = 0; i < 10000; i++) {printf "%*sa:\n", i, ""}}' >"$folder/depth-block"
check depth-block 'nested more than'
repeat 10000 '- ' >"$folder/depth-dash"
check depth-dash 'nested more than'
(printf '%snodes:\n' "$head"; awk 'BEGIN {for (i = 0; i < 2800000; i++) printf "  node-%d: {description: \"%d\"}\n", i, i}') |
    head -c 100000000 >"$folder/large" || true
check large 'larger than'
truncate -s 5T "$folder/sparse" 2>/dev/null || truncate -s 5G "$folder/sparse"
check sparse 'larger than'
check endless 'larger than' /dev/zero
(printf 'a: ['; repeat 12000000 'a,'; printf ']') >"$folder/many-values"
check many-values 'keys and values'
(printf '%sdescription: "' "$head"; repeat 4700000 'abcdefghi '; printf '"\n') >"$folder/long-text"
check long-text 'unknown key'
(printf '%s' "$head"; repeat 1000000 $'#\n'; printf 'nodes: {a: {vcpus: x}}\n') >"$folder/comments"
check comments 'whole number'
(printf '%snodes:\n' "$head"; awk 'BEGIN {for (i = 0; i < 50000; i++) printf "  n%d: {image: x%d, memory: 1, type: y%d, nics: [z%d]}\n", i, i, i, i}') >"$folder/errors"
check errors 'more like these'
(printf '%stypes:\n' "$head"; awk 'BEGIN {for (i = 0; i < 20000; i++) printf "  t%d: {}\n", i
    print "nodes:"; for (i = 0; i < 20000; i++) printf "  n%d: {type: tt%d}\n", i, i}') >"$folder/near-types"
check near-types 'no type'
(printf '%svariables: {x: {default: 1}}\nnodes:\n' "$head"
    awk 'BEGIN {for (i = 0; i < 30000; i++) printf "  n%d: {memory: \"${var.x}\"}\n", i}') >"$folder/notes"
check notes 'needs a unit'
(printf 'version: 1\nname: a\nnetworks:\n'; awk 'BEGIN {for (i = 0; i < 30000; i++) printf "  n%d: {cidr: 10.0.0.0/8}\n", i}') >"$folder/overlaps"
check overlaps 'overlaps'
printf '%snodes: {a: {count: 100000, description: "%s"}}\n' "$head" "$(repeat 9000 x)" >"$folder/count-text"
check count-text 'too large'
printf '%snodes: {a: {count: 100000, nodes: {b: {count: 100000, nodes: {c: {count: 100000}}}}}}\n' "$head" >"$folder/counts"
check counts 'more than'
printf '%stypes: {t: {disks: {%s}}}\nnodes: {a: {count: 100000, type: t}}\n' "$head" \
    "$(awk 'BEGIN {for (i = 0; i < 500; i++) printf "d%d: 1GiB, ", i}')" >"$folder/count-disks"
check count-disks 'too large'
printf '%snodes: {a: {count: 200000}, "b\\0": 1}\n' "$head" >"$folder/nul-escape"
check nul-escape 'NUL'
printf 'version: 1\nname: a\0b\n' >"$folder/nul"
check nul 'NUL'
printf '\xef\xbb\xbfversion: 1\n\xef\xbb\xbfname: a\n' >"$folder/bom-inside"
check bom-inside 'not YAML'
printf '\xef\xbb\xbf' >"$folder/bom"
check bom 'empty'
printf 'version: 1\nname: a\n' | iconv -t UTF-16 >"$folder/utf16"
check utf16 'UTF-16'
printf 'version: 1\nname: a\n' | iconv -t UTF-16LE >"$folder/utf16-bare"
check utf16-bare 'NUL'
printf 'version: 1\nname: "\xff\xfe"\n' >"$folder/invalid"
check invalid 'not UTF-8'
printf 'version: 1\nname: "\xc0\x80"\n' >"$folder/overlong"
check overlong 'not UTF-8'
printf 'version: 1\r\nname: a\r\nnodse: {}\r\n' >"$folder/crlf"
check crlf "did you mean 'nodes'"
: >"$folder/empty"
check empty 'empty'
mkdir "$folder/directory"
check directory 'is a folder'
mkfifo "$folder/fifo"
check fifo 'pipe'
# What cannot be read is a document on standard output, too.
check_json() {
    local words=$1 out
    shift
    out=$(timeout 60 "$nestplan" validate "$@" --json 2>"$folder/said" </dev/null) || true
    jq -e --arg w "$words" '(.valid | not) and .errors == 1 and .diagnostics[0].code == "NP0018"
        and (.diagnostics[0].message | contains($w))' <<<"$out" >/dev/null || complain "validate $* --json: ${out:0:300}"
    [[ ! -s $folder/said ]] || complain "validate $* --json says, too: $(head -c 300 "$folder/said")"
}
check_json 'there is no lab file' "$folder/nowhere"
check_json 'is a folder' "$folder/directory"
check_json 'is a pipe' "$folder/fifo"
check_json 'there is no file of variables' "$folder/empty" --var-file "$folder/nowhere"
: >"$folder/closed"
chmod 000 "$folder/closed"
[[ -r $folder/closed ]] || check_json 'Permission denied' "$folder/closed"
printf 'version: 1\n---\nversion: 1\n' >"$folder/documents"
check documents 'several documents'
printf 'version: 1\nname: a\nimages: {a: {source: ../../etc/passwd}}\n' >"$folder/outside"
check outside 'leaves the folder'
printf '%snodes: {a: {inject: {files: [{path: /x, source: link}]}}}\n' "$head" >"$folder/links"
ln -s /etc/hostname "$folder/link"
printf 'disk' >"$folder/t"
check links 'is a link that leaves the folder'
printf '%saccess: {authorized_keys: [link]}\n' "$head" >"$folder/key-links"
check key-links 'is a link that leaves the folder'
(printf '%snetworks: {m: {cidr: 10.20.0.0/16}}\nnodes:\n  a:\n    nope: 1\n    nics: [m]\n    networks:\n' "$head"
    awk 'BEGIN {for (i = 0; i < 20000; i++) printf "      p%d: {mode: bridge, nic: m, cidr: 10.20.%s}\n", i, i % 2 ? "0.0/16" : i / 2 % 256 ".0/24"}') >"$folder/bridges"
check bridges 'unknown key'
(printf '%snetworks:\n' "$head"; awk 'BEGIN {for (i = 0; i < 5000; i++) printf "  n%d: {cidr: 10.%d.%d.0/24}\n", i, i / 250, i % 250}'
    printf 'nodes: {a: {count: 60000, nics: [nope]}}\n') >"$folder/near-networks"
check near-networks 'is on network'
(printf '%simages:\n' "${head/images: \{t: \{source: t\}\}$'\n'/}"; awk 'BEGIN {for (i = 0; i < 5000; i++) printf "  i%d: {source: t}\n", i}'
    printf 'nodes: {a: {count: 20000, image: nope}}\n') >"$folder/near-images"
check near-images 'there is no image'
(printf '%svariables:\n' "$head"; awk 'BEGIN {for (i = 0; i < 5000; i++) printf "  v%d: {default: x}\n", i}'
    printf 'nodes: {a: {count: 60000, description: "${var.v4999}", inject: {run: ["${var.nope}"]}}}\n') >"$folder/near-variables"
check near-variables 'no variable'
(printf '%snetworks: {m: {cidr: 10.0.0.0/8}}\nnodes:\n  a:\n    nope: 1\n    nics:\n' "$head"
    awk 'BEGIN {for (i = 0; i < 10000; i++) printf "      m%d: {network: m}\n", i
        print "    networks:"; for (i = 0; i < 10000; i++) printf "      p%d: {mode: bridge, nic: m%d}\n", i, i}') >"$folder/nics"
check nics 'unknown key'
(repeat 50000 '${node.name} ${lab.name} '; echo '${node.nics.m.address}') >"$folder/template"
printf '%snodes: {a: {count: 20000, inject: {files: [{path: /a, source: template, template: true}]}}}\n' "$head" >"$folder/templates"
check templates 'does not expand'
truncate -s 17M "$folder/template"
check templates 'larger than 16 MiB'
out=$("$nestplan" plan "$folder/links" --connect test:///default 2>&1) && complain 'plan takes a link that leaves the folder'
[[ $out == *'is a link that leaves the folder'* ]] || complain "plan of a link says: $out"

# Writing a large lab takes as long as it is large: a saved plan has its sum.
(printf '%snodes:\n' "$head"; printf '  a: {count: 50000}\n') >"$folder/print"
code=0
/usr/bin/time -f '%U %S' -o "$folder/used" timeout 60 "$nestplan" validate --print "$folder/print" >"$folder/printed" 2>&1 || code=$?
((code == 0)) || complain "validate --print of 50,000 nodes exits with $code: $(tail -n 3 "$folder/printed")"
[[ -n ${NESTPLAN_SANITIZE-} ]] || awk -v s="$seconds" '{exit !($1 + $2 <= s)}' "$folder/used" ||
    complain "validate --print of 50,000 nodes takes $(cat "$folder/used") (user s, system s)"
finish
