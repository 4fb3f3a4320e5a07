"""What attackers write: addresses that lead elsewhere, and markup that runs."""

EVIL = "evil.example"

_PLACES = r"""
http://{e} https://{e} //{e} ///{e} ////{e} \\{e} /\{e} \/{e} /\/{e} ftp://{e}
http:{e} https:{e} javascript:{e} data:{e} vbscript:{e} file:{e} mailto:{e}
/%09/{e} /%0a/{e} /%0d/{e} /%00/{e} /%20/{e} /%2f/{e} /%5c/{e} /%e2%80%a8/{e} /./{e} /.//{e}
http://localhost@{e} http://localhost:80@{e} http://{e}#localhost http://{e}?localhost http://localhost.{e}
http://{e}%00localhost http://{e}\@localhost http://{e}%ff@localhost
/gex///{e} /gex/..//{e} /gex/../..//{e} /gex/%2e%2e/%2f{e} /gex/SPX//{e} /gex/SPX/..//{e} /gex/SPX?next=//{e}
/gex/SPX#//{e} /gex/@{e} /gex/SPX%0d%0aLocation:%20//{e}
/share///{e} /share/%2f%2f{e} /share/..%2f..%2f{e}
/login/callback?next=//{e} /login/callback?state=//{e} /login/callback?code=x&state=x&redirect_uri=//{e}
//{e}/%2f.. //{e}:80 //user@{e} //[::1] //0x7f000001 //%65vil.example/{e} //{e}/gex/SPX //google.com%2f@{e} //{e}\gex
"""
REDIRECTS = [place.replace("{e}", EVIL) for place in _PLACES.split()] + [f"/\t/{EVIL}"]

# Each calls `pwned()` where it runs.
XSS = [
    "<script>pwned()</script>",
    "<ScRiPt>pwned()</sCrIpT>",
    "<script src=data:text/javascript,pwned()></script>",
    "<img src=x onerror=pwned()>",
    "<img src=x:x onerror=\"pwned()\" />",
    "<svg onload=pwned()>",
    "<svg><script>pwned()</script></svg>",
    "<svg><animate onbegin=pwned() attributeName=x dur=1s>",
    "<body onload=pwned()>",
    "<iframe src=javascript:pwned()></iframe>",
    "<iframe srcdoc=\"<script>parent.pwned()</script>\"></iframe>",
    "<object data=javascript:pwned()></object>",
    "<embed src=javascript:pwned()>",
    "<a href=javascript:pwned()>x</a>",
    "<details open ontoggle=pwned()>",
    "<input autofocus onfocus=pwned()>",
    "<select autofocus onfocus=pwned()>",
    "<video><source onerror=pwned()></video>",
    "<marquee onstart=pwned()>",
    "<math><mtext></p><style><img src=x onerror=pwned()></style></math>",
    "<style>@import 'javascript:pwned()';</style>",
    "<link rel=stylesheet href=javascript:pwned()>",
    "<meta http-equiv=refresh content=0;url=javascript:pwned()>",
    "<form action=javascript:pwned()><button autofocus>x</button></form>",
    "<base href=javascript:pwned()//>",
    "\"><script>pwned()</script>",
    "' onmouseover='pwned()' x='",
    "\" autofocus onfocus=\"pwned()\" x=\"",
    "javascript:pwned()",
    "[x](javascript:pwned())",
    "{{constructor.constructor('pwned()')()}}",
    "</script><script>pwned()</script>",
    "%3Cscript%3Epwned()%3C/script%3E",
    "\\u003cscript\\u003epwned()\\u003c/script\\u003e",
    "<<script>pwned();//<</script>",
]  # fmt: skip
