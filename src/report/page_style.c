/* The page's style sheet: light and dark, wide and narrow, screen and paper; no font, image or
 * script from anywhere. */
#include "report_internal.h"

static const char layout[] =
    "*{box-sizing:border-box}"
    "html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}"
    "body{margin:0;background:var(--page);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"
    "'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    ".wrap{max-width:1080px;margin:0 auto;padding:0 24px}"
    "header{padding:44px 0 8px}"
    ".eyebrow{font-size:.8rem;letter-spacing:.09em;text-transform:uppercase;color:var(--muted);"
    "margin:0}"
    "h1{font-size:clamp(1.7rem,4.5vw,2.5rem);line-height:1.15;letter-spacing:-.02em;margin:.15em 0 "
    ".35em;"
    "overflow-wrap:anywhere}"
    "h2{font-size:1.45rem;letter-spacing:-.01em;line-height:1.25;margin:0 0 .25em}"
    "h3{font-size:1rem;line-height:1.35;margin:0 0 .3em}"
    "p{margin:0 0 .8em}.lead{color:var(--muted);max-width:70ch}.lead b,.lead em{color:var(--ink)}"
    "nav{display:flex;flex-wrap:wrap;gap:6px 18px;font-size:.9rem;padding:10px 0 0}"
    "a{color:var(--c0);text-decoration:none}a:hover{text-decoration:underline}"
    "section{margin:46px 0 0;scroll-margin-top:16px}";

static const char parts[] =
    ".grid{display:grid;gap:18px;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr))"
    ";"
    "align-items:stretch}"
    ".wide{grid-column:1/-1}.stack{display:grid;gap:18px;align-content:start}"
    ".maps{grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr))}"
    ".card{background:var(--card);border:1px solid var(--grid);border-radius:14px;padding:20px "
    "22px;"
    "min-width:0}"
    ".card>:last-child{margin-bottom:0}.card>.tiles:first-child{margin-top:0}figure{margin:0}"
    "figure svg{display:block;width:100%;height:auto;max-width:540px;margin:0 auto}"
    "figcaption{font-size:.92rem;color:var(--muted);margin:0 0 12px}figcaption h3{color:var(--ink)}"
    ".big{font-size:clamp(3.1rem,10vw,4.6rem);font-weight:700;letter-spacing:-.035em;line-height:1."
    "02;"
    "font-variant-numeric:tabular-nums;margin:.1em 0 .1em}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:"
    "16px 0 0}"
    ".tile{background:var(--track);border-radius:10px;padding:10px 12px}"
    ".tile b{display:block;font-size:1.18rem;line-height:1.3;font-variant-numeric:tabular-nums}"
    ".tile span{font-size:.82rem;line-height:1.3;color:var(--muted);display:block}"
    ".dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.45em}"
    ".d0{background:var(--c0)}.d1{background:var(--c1)}";

static const char tables[] =
    ".scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}"
    "th,td{padding:.42em .55em;text-align:right;border-bottom:1px solid "
    "var(--grid);white-space:nowrap}"
    "th{color:var(--muted);font-weight:500}td:first-child,th:first-child{text-align:left;padding-"
    "left:0}"
    "tr:last-child td{border-bottom:0}"
    ".tag{font-size:.76rem;padding:.1em "
    ".55em;border-radius:99px;background:var(--track);color:var(--muted)}"
    ".low{color:var(--c1);font-weight:600}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.3em "
    "1.3em;margin:0;font-size:.92rem}"
    "dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}"
    "code,pre{font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans "
    "Mono',monospace}"
    "pre{background:var(--track);border-radius:10px;padding:12px 14px;overflow-x:auto;margin:.5em "
    "0 0;"
    "white-space:pre-wrap;overflow-wrap:anywhere}"
    "details{margin-top:14px;font-size:.92rem}summary{cursor:pointer;color:var(--muted)}";

static const char care[] =
    ".watch{max-width:640px;margin:0 auto}.watch img{display:block;width:100%;height:auto;"
    "image-rendering:pixelated;border-radius:8px;background:#fff}"
    ".cols{display:grid;font-size:.85rem;line-height:1.3;color:var(--muted);text-align:center;"
    "margin:0 0 8px;gap:6px}"
    "ul.care{list-style:none;margin:0;padding:0;display:grid;gap:10px}"
    "ul.care li{border-left:4px solid var(--grid);padding:.1em 0 .1em 14px}"
    "ul.care li.warn{border-color:var(--c1)}ul.care li.good{border-color:var(--c2)}"
    "footer{color:var(--muted);font-size:.86rem;padding:34px 0 44px}"
    "@media(max-width:560px){.wrap{padding:0 16px}header{padding-top:26px}section{margin-top:36px}"
    ".card{padding:16px}dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .55em}"
    "table{font-size:.84rem}th,td{padding:.4em .35em}th{white-space:normal;vertical-align:bottom}}"
    "@media print{body{background:#fff;font-size:11pt}.card{border-color:#ccc;break-inside:avoid}"
    "nav{display:none}section{margin-top:24px}h2{break-after:avoid}}";

void uw__page_style(uw_text *out) {
    uw__text_add(out, "<style>:root{color-scheme:light dark;--page:#f5f6f8;");
    uw__svg_variables(out, false);
    uw__text_add(out, "}@media(prefers-color-scheme:dark){:root{--page:#0e1217;");
    uw__svg_variables(out, true);
    /* paper is light, whatever the screen is */
    uw__text_add(out, "}}@media print{:root{--page:#fff;");
    uw__svg_variables(out, false);
    uw__text_add(out, "}}");
    uw__text_add(out, layout);
    uw__text_add(out, parts);
    uw__text_add(out, tables);
    uw__text_add(out, care);
    uw__svg_style(out, UW_SVG_PAGE);
    uw__text_add(out, "</style>\n");
}
