#!/usr/bin/env bash
# Makes the rustup toolchain `orch-guest` for wasm32-unknown-unknown from Debian's packages, where rustup cannot
# download the target. No root, nothing installed: packages are downloaded and unpacked into the cache folder.
# Afterwards: cargo +orch-guest build --release --target wasm32-unknown-unknown  (linker: $home/bin/wasm-ld)
# Needs apt-get, dpkg-deb, rustup's cargo. About 150 MB down, 400 MB on disk, one minute on two cores.
set -euo pipefail
home=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/orch/guest-toolchain}
mkdir -p "$(dirname "$home")"
work=$(mktemp -d "$home.XXXXXX")
trap 'rm -rf "$work"' EXIT

# 1. Package lists of our own, so that neither root nor an earlier `apt-get update` is needed.
mkdir -p "$work"/apt/{lists/partial,cache/archives/partial} "$work/deb" "$work/root"
apt=(-qq -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User= -o Debug::NoLocking=1)
apt-get "${apt[@]}" update
wanted='^(rustc-web|rust-web-src|libstd-rust-web-[0-9.]+|libstd-rust-web-dev|lld-[0-9]+|libllvm[0-9]+|libz3-4|libedit2|libxml2|libicu[0-9]+|libbsd0|libmd0)$'
lld=$(apt-cache "${apt[@]}" pkgnames lld- | grep -E '^lld-[0-9]+$' | sort -V | tail -1)
mapfile -t packages < <(apt-cache "${apt[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
  --no-replaces --no-enhances rustc-web rust-web-src "$lld" | grep -E "$wanted" | sort -u)
(cd "$work/deb" && apt-get "${apt[@]}" download "${packages[@]}")

# 2. Only what is needed of them.
for deb in "$work"/deb/*.deb; do
  case $deb in
    */rust-web-src_*) dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work/root" --wildcards './usr/src/*/library' './usr/lib/rustlib' ;;
    *) dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work/root" --exclude=./usr/share ;;
  esac
done
real=$work/root/usr
mv "$real" "$work/usr"
real=$work/usr
mkdir "$work/bin" "$work/seed" "$work/seed/src"
libraries='$here/usr/lib/x86_64-linux-gnu'
cat >"$work/bin/rustc" <<W
#!/bin/sh
here=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
LD_LIBRARY_PATH=$libraries exec "\$here/usr/bin/rustc" "\$@"
W
cat >"$work/bin/wasm-ld" <<W
#!/bin/sh
here=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
LD_LIBRARY_PATH=$libraries exec "\$here"/usr/lib/llvm-*/bin/wasm-ld "\$@"
W
chmod +x "$work/bin/rustc" "$work/bin/wasm-ld"

# 3. The guest's standard library, built once from its source, without this machine's paths.
printf '[package]\nname = "seed"\nversion = "0.0.0"\nedition = "2021"\n[profile.release]\npanic = "abort"\n' >"$work/seed/Cargo.toml"
: >"$work/seed/src/lib.rs"
remap=--remap-path-prefix
flags=-Cembed-bitcode=yes$'\x1f'$remap=${CARGO_HOME:-$HOME/.cargo}=/cargo$'\x1f'$remap=$work/usr/lib/rustlib/src/rust=/rust
(
  cd "$work/seed"
  env -u CARGO_TARGET_DIR -u RUSTUP_TOOLCHAIN -u RUSTFLAGS RUSTC_BOOTSTRAP=1 RUSTC="$work/bin/rustc" CARGO_ENCODED_RUSTFLAGS="$flags" \
    cargo build --quiet --release -Zbuild-std=std,panic_abort,proc_macro --target wasm32-unknown-unknown
)
target=$work/usr/lib/rustlib/wasm32-unknown-unknown/lib
mkdir -p "$target"
for lib in "$work"/seed/target/wasm32-unknown-unknown/release/deps/lib*.rlib; do
  case $lib in */libseed-*) ;; *) cp "$lib" "$target/" ;; esac
done

# 4. Into place, whole or not at all. `lib` lets rustup take the folder for a toolchain.
rm -rf "$work"/{apt,deb,root,seed} "$work"/usr/src "$work"/usr/lib/rustlib/src
ln -s usr/lib "$work/lib"
ln -s "$(rustup which cargo)" "$work/bin/cargo"
rm -rf "$home"
mv "$work" "$home"
trap - EXIT
rustup toolchain link orch-guest "$home"
echo "toolchain orch-guest: $(rustc +orch-guest --version), $(du -sh "$home" | cut -f1)"
