#!/bin/sh
# make_dmg.sh FROZEN_FOLDER IMAGE VERSION: an app bundle in a disk image. Signs with the identity in
# BARNHAND_SIGNING_IDENTITY where that is set; an unsigned app must be opened by hand the first time.
set -eu
frozen=$1 image=$2 version=$3
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
app="$work/Barnhand Desktop.app"
mkdir -p "$app/Contents/MacOS" "$app/Contents/Resources"
cp -R "$frozen/." "$app/Contents/MacOS/"
sed "s/@VERSION@/$version/g" "$here/Info.plist.in" > "$app/Contents/Info.plist"
if [ -n "${BARNHAND_SIGNING_IDENTITY:-}" ]; then
    codesign --force --deep --options runtime --sign "$BARNHAND_SIGNING_IDENTITY" "$app"
fi
ln -s /Applications "$work/Applications"
rm -f "$image"
hdiutil create -volname "Barnhand Desktop" -srcfolder "$work" -format UDZO "$image"
