#!/bin/sh
# Open a report in a headless browser: it must render whole, say nothing on the console and ask the network
# for nothing.   render.sh MAKE_REPORT
set -eu
make_report=$1
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
    echo "no chromium here: skipped"
    exit 77
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM

# A GIF of one transparent pixel stands for the animation.
printf 'GIF89a\001\000\001\000\200\000\000\000\000\000\377\377\377!\371\004\001\000\000\000\000,' >"$dir/one.gif"
printf '\000\000\000\000\001\000\001\000\000\002\002D\001\000;' >>"$dir/one.gif"

# name resolution and every proxy point nowhere, so that a request would show as an error on the console
open_page() {
    "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
        --user-data-dir="$dir/profile" --no-first-run --disable-background-networking \
        --disable-component-update --host-resolver-rules='MAP * ~NOTFOUND' \
        --enable-logging=stderr --v=0 --virtual-time-budget=5000 "$@"
}

for sides in 1 2; do
    mkdir "$dir/$sides"
    "$make_report" "$dir/$sides" "$sides" "$dir/one.gif"
    for width in 1280 500; do
        log="$dir/log"
        open_page --window-size=$width,900 --dump-dom "file://$dir/$sides/report.html" >"$dir/dom" 2>"$log"
        if grep -E 'CONSOLE|ERR_' "$log"; then
            echo "FAIL: the console is not silent ($sides sides, $width wide)"
            exit 1
        fi
        # the DOM the browser understood has every section and as many drawings as were written
        for id in result watch robustness care imagination knowledge map surprise certificate speed recording training making; do
            grep -q "id=\"$id\"" "$dir/dom" || { echo "FAIL: no section $id in the DOM"; exit 1; }
        done
        want=$(grep -o '<svg' "$dir/$sides/report.html" | wc -l)
        got=$(grep -o '<svg' "$dir/dom" | wc -l)
        [ "$want" -eq "$got" ] && [ "$got" -ge 10 ] || { echo "FAIL: $got drawings of $want"; exit 1; }
    done
    for figure in probes run surprise actions; do
        ls "$dir/$sides/figures/$figure"*.svg "$dir/$sides/figures/$figure"*.csv >/dev/null || exit 1
    done
    ls "$dir/$sides/figures/imagined"*.png >/dev/null || { echo "FAIL: no imagined frames"; exit 1; }
    if grep -Eo '(src|href)="[^"]{0,12}' "$dir/$sides/report.html" | grep -Ev '="(data:|#)'; then
        echo "FAIL: the page points outside itself"
        exit 1
    fi
done

open_page --window-size=390,844 --screenshot="$dir/phone.png" "file://$dir/1/report.html" >/dev/null 2>&1
bytes=$(wc -c <"$dir/phone.png")
[ "$bytes" -gt 10000 ] || { echo "FAIL: the screenshot is blank ($bytes bytes)"; exit 1; }
echo "ok   two reports rendered at two widths, console silent, nothing fetched"
