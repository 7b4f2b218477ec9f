"""The page at /: what answers here, and how to call it."""

from __future__ import annotations

from html import escape

from cnn_demo.serve.service import Service

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>CNN Lab: {network}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; }}
pre {{ overflow-x: auto; padding: .75rem 1rem; border: 1px solid #8884; border-radius: .5rem; background: #8881; }}
code {{ font-size: .9em; }}
td {{ padding: .2rem 1.5rem .2rem 0; vertical-align: top; }}
#answer {{ min-height: 1.5em; font-weight: 600; }}
</style></head><body>
<h1>CNN Lab</h1>
<p>This is an HTTP service. It answers pictures with the network <b>{network}</b> ({state}), prepared and judged as the
Draw page does. {calibrated}</p>
<h2>Try it</h2>
{token_field}<p><label>A picture (PNG or JPEG): <input type="file" accept="image/png,image/jpeg"></label></p>
<p id="answer" role="status"></p>
<h2>Call it</h2>
<pre><code>curl --data-binary @digit.png -H 'Content-Type: image/png' {token}URL/predict
curl -F images=@a.png -F images=@b.jpg {token}'URL/predict?stages=true'</code></pre>
<p>JSON works too: <code>{{"images": ["base64 of a file", …]}}</code>. <a href="openapi.json">openapi.json</a> describes
every answer, with examples.</p>
<table>
<tr><td><a href="health">/health</a></td><td>whether the process lives</td></tr>
<tr><td><a href="ready">/ready</a></td><td>whether it answers</td></tr>
<tr><td><a href="metrics">/metrics</a></td><td>counters for Prometheus</td></tr>
</table>
<h2>Limits</h2>
<p>{images} images and {megabytes:.0f} MB a request, {rate}, an answer within {deadline:g} s.
When it is busy it says so at once: status 503 with <code>Retry-After</code>.</p>
<script>
for (const code of document.querySelectorAll("pre code"))
  code.textContent = code.textContent.replaceAll("URL", location.href.replace(/\\/$/, ""));
document.querySelector("input[type=file]").addEventListener("change", async (event) => {{
  const file = event.target.files[0], out = document.getElementById("answer");
  if (!file) return;
  out.textContent = "…";
  try {{
    const headers = {{ "Content-Type": file.type }}, token = document.getElementById("token")?.value;
    if (token) headers.Authorization = `Bearer ${{token}}`;
    const found = await fetch("predict", {{ method: "POST", body: file, headers }});
    const answer = await found.json(), row = answer.predictions?.[0];
    const error = answer.error || row?.error;
    if (error) out.textContent = error.message;
    else if (row.label === null) out.textContent = "Nothing is drawn.";
    else {{
      const most = Math.max(...row.probabilities), share = most > 0.999 ? ">99.9" : (100 * most).toFixed(1);
      out.textContent = `${{row.label}}, ${{share}}%` + (row.verdict ? `, ${{row.verdict.replaceAll("_", " ")}}` : "");
    }}
  }} catch {{ out.textContent = "The service did not answer."; }}
}});
</script></body></html>
"""

_TOKEN_FIELD = '<p><label>Token: <input id="token" type="password" autocomplete="off"></label></p>\n'


def render_page(service: Service, *, token: bool = False) -> str:
    """The page as HTML.

    Args:
        service: that the page is about.
        token: whether calls need one.
    """
    limits, network = service.limits, service.network
    calibrated = network is not None and network.predictor.calibration is not None
    return _PAGE.format(
        network="…" if network is None else escape(network.predictor.loaded.key),
        state=service.state,
        calibrated="" if calibrated or network is None else "It is not calibrated, so there are no verdicts.",
        token_field=_TOKEN_FIELD if token else "",
        token="-H 'Authorization: Bearer TOKEN' " if token else "",
        images=limits.max_images,
        megabytes=limits.max_body_bytes / 2**20,
        rate=f"{limits.rate:g} images a second for each client" if limits.rate else "no limit of rate",
        deadline=limits.deadline,
    )
