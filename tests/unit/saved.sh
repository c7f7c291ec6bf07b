#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Saved plans, targets and the options around them, on libvirt's in-process test driver.
set -euo pipefail
# shellcheck source=tests/lint/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../lint/lib.bash"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export NO_COLOR=1
printf 'some disk' >image.raw

world() {
    cat >world.xml <<XML
<node>
  <domain type='test'>
    <name>${1-elsewhere}</name>
    <memory>65536</memory>
    <os><type>hvm</type></os>
  </domain>
</node>
XML
}

lab() {
    cat >lab.yaml <<LAB
version: 1
name: demo
variables:
  pass: {sensitive: true, default: none}
  size: {default: 64MiB}
images: {t: {source: image.raw, format: raw}}
networks: {net: {cidr: 10.81.0.0/24}, other: {cidr: 10.82.0.0/24}}
defaults: {image: t, vcpus: 1, accel: auto, memory: "\${var.size}"}
nodes:
  one:
    nics: [net]
    inject: {files: [{path: /etc/pass, content: "\${var.pass}"}]}
  two: {nics: [other], description: "${1-}"}
LAB
}

# A node of the lab that memory.yaml describes: owned MEMORY [end of its UUID]
owned() {
    cat >world.xml <<XML
<node>
  <domain type='test'>
    <name>demo.one</name>
    <uuid>00000000-0000-4000-8000-${2-000000000001}</uuid>
    <metadata>
      <np:lab xmlns:np='urn:nestplan:1' name='demo' address='one' accel='auto' site='no'/>
    </metadata>
    <memory>$1</memory>
    <os><type>hvm</type></os>
  </domain>
</node>
XML
}

cat >memory.yaml <<LAB
version: 1
name: demo
variables: {m: {sensitive: true, default: nothing}}
images: {t: {source: image.raw, format: raw}}
networks: {net: {cidr: 10.81.0.0/24}}
nodes: {one: {image: t, vcpus: 1, accel: auto, memory: 64MiB, description: "\${var.m}"}}
LAB

# expect CODE WORDS COMMAND...: exits with it and says the words.
expect() {
    local wanted=$1 words=$2 out code=0
    shift 2
    out=$("$nestplan" "$@" -c "test://$folder/world.xml" 2>&1 </dev/null) || code=$?
    ((code == wanted)) || complain "nestplan $*: exits with $code, not $wanted: $out"
    [[ $out == *"$words"* ]] || complain "nestplan $*: does not say '$words': $out"
}

# As expect, without --connect: the plan has it.
expect_apply() {
    local wanted=$1 words=$2 out code=0
    shift 2
    out=$("$nestplan" apply "$@" 2>&1 </dev/null) || code=$?
    ((code == wanted)) || complain "apply $*: exits with $code, not $wanted: $out"
    [[ $out == *"$words"* ]] || complain "apply $*: does not say '$words': $out"
}

world
lab
expect 0 'Plan: 4 to add' plan lab.yaml --out p.plan --var pass=very-secret --var size=128MiB
[[ $(stat -c %a p.plan) == 600 ]] || complain "the saved plan has mode $(stat -c %a p.plan)"
! grep -q very-secret p.plan || complain 'the saved plan has a secret'
grep -q 'size=128MiB' p.plan || complain 'the saved plan does not have the variable'

# The secret is not in it, so it must be given again; the fingerprint tells.
expect_apply 1 'stale' p.plan
lab changed
expect_apply 1 'the lab file' p.plan --var pass=very-secret
lab
printf 'another disk' >image.raw
expect_apply 1 'the lab file, or a file' p.plan --var pass=very-secret
printf 'some disk' >image.raw
world demo.one
expect_apply 1 'what exists has changed' p.plan --var pass=very-secret
world
expect_apply 1 'belong to the' p.plan --target one
expect_apply 1 'belong to the' p.plan -c test:///default

sed 's/"nestplan_plan" : 2/"nestplan_plan" : 99/' p.plan >newer.plan
expect_apply 1 'format 99' newer.plan
head -c 300 p.plan >cut.plan
expect_apply 1 'cannot be read' cut.plan
sed '/"uri"/d' p.plan >damaged.plan
expect_apply 1 'damaged' damaged.plan
for key in fingerprint found salt; do
    sed "/$key/d" p.plan >damaged.plan
    expect_apply 1 'damaged' damaged.plan
done
expect 1 'cannot be saved' plan lab.yaml --out "$folder/no/such/folder/p.plan"
out=$("$nestplan" plan - --out q.plan -c "test://$folder/world.xml" 2>&1 <lab.yaml) && complain 'a plan of standard input was saved'
[[ $out == *'standard input'* ]] || complain "a plan of standard input: says '$out'"

# The hypervisor is the environment's: a plan of one is nothing for another.
cp world.xml other.xml
export LIBVIRT_DEFAULT_URI="test://$folder/world.xml"
"$nestplan" plan lab.yaml --out host.plan >/dev/null || complain 'a plan of the default hypervisor was not saved'
export LIBVIRT_DEFAULT_URI="test://$folder/other.xml"
expect_apply 1 "stale: it was made for the hypervisor at test://$folder/world.xml, and this is the one at test://$folder/other.xml" host.plan
export LIBVIRT_DEFAULT_URI="test://$folder/world.xml"
sed 's/"uuid" : null/"uuid" : "00000000-0000-4000-8000-000000000001"/' host.plan >machine.plan
expect_apply 1 'is another machine (UUID unknown) than the one that it was made for (UUID 00000000' machine.plan
unset LIBVIRT_DEFAULT_URI

# A sensitive value that the plan does not show is the same, or the plan is another.
expect 0 'to add' plan memory.yaml --out memory.plan --var m=very-hidden
! grep -q very-hidden memory.plan || complain 'the saved plan has a sensitive value'
expect_apply 1 'stale: the lab file, or a file or variable' memory.plan --var m=other
expect_apply 1 'stale: the lab file, or a file or variable' memory.plan

# What is deleted is what was looked at, although the plan says no more of it than the address.
owned 65536
expect 0 '- one' plan memory.yaml --destroy --out gone.plan
owned 131072
expect_apply 1 'stale: what exists has changed' gone.plan
owned 65536 000000000002
expect_apply 1 'stale: what exists has changed' gone.plan
owned 65536
expect_apply 0 '1 destroyed, nothing of lab' gone.plan
world

# A sensitive value that the plan would show.
cat >secret.yaml <<LAB
version: 1
name: demo
variables: {number: {sensitive: true, default: 10.99.7.77}, word: {sensitive: true, default: opensesame}}
images: {t: {source: image.raw, format: raw}}
networks: {net: {cidr: 10.99.7.0/24}}
defaults: {image: t, vcpus: 1, accel: auto, memory: 64MiB}
nodes: {one: {nics: {net: {address: 10.99.7.77}}, description: "\${var.word} \${var.number}"}}
LAB
for kind in '' --json --verbose '--out s.plan'; do
    # shellcheck disable=SC2086 # an option and its value
    out=$("$nestplan" plan secret.yaml $kind -c "test://$folder/world.xml" 2>&1 </dev/null; cat s.plan 2>/dev/null || true)
    [[ $out == *"demo"* || $out == *"(sensitive)"* ]] || complain "plan $kind of sensitive values: $out"
    [[ $out != *10.99.7.77* && $out != *opensesame* ]] || complain "plan $kind shows a sensitive value: $out"
done

# The name of a file, in an error.
sed -i 's|^nodes:.*|nodes: {one: {nics: [net], inject: {files: [{path: /x, source: "dir/${var.word}"}]}}}|' secret.yaml
expect 3 '(sensitive)' plan secret.yaml
out=$("$nestplan" plan secret.yaml -c "test://$folder/world.xml" 2>&1 </dev/null || true)
[[ $out != *opensesame* ]] || complain "the error shows a sensitive value: $out"

expect 0 'Plan: 2 to add' plan lab.yaml --target two
expect 0 'Plan: 1 to add' plan lab.yaml --target network.other
expect 0 'Only the targets' plan lab.yaml --target 'o*'
expect 1 "Did you mean 'two'?" plan lab.yaml --target twoo
expect 1 'nothing at this address' plan lab.yaml --replace three
expect 0 'No changes. Nothing moved outside nestplan.' plan lab.yaml --refresh-only
expect 0 'No changes.' plan lab.yaml --destroy
expect 64 'exclude' plan lab.yaml --destroy --replace one
expect 64 'goes with neither' plan lab.yaml --destroy --refresh-only
expect 0 'Nothing to destroy' destroy lab.yaml --target one -y
finish
