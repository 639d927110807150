/** The page. Its script fills it; its rows are in `ops.js`. */
export const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Event streams</title>
<link rel="stylesheet" href="ops.css">
<script type="module" src="ops.js"></script>
</head>
<body>
<header>
  <h1>Event streams</h1>
  <p id="state" role="status" data-state="waiting">Connecting</p>
</header>
<main>
<p id="notice" role="alert" hidden></p>
<dl id="totals">
  <div><dt>Instances</dt><dd data-total="instances">–</dd></div>
  <div><dt>Streams</dt><dd data-total="streams">–</dd></div>
  <div><dt>Deliveries/s</dt><dd data-total="delivered">–</dd></div>
  <div><dt>Bytes/s</dt><dd data-total="bytes">–</dd></div>
  <div><dt>Worst lag</dt><dd data-total="lag">–</dd></div>
  <div><dt>Gaps told</dt><dd data-total="gaps">–</dd></div>
  <div><dt>Waiting bytes</dt><dd data-total="buffered">–</dd></div>
</dl>

<section aria-labelledby="instances-title">
  <h2 id="instances-title">Instances</h2>
  <table aria-labelledby="instances-title">
    <thead><tr><th scope="col">Instance</th><th scope="col">State</th><th scope="col">Streams</th><th scope="col">Published/s</th><th scope="col">Deliveries/s</th><th scope="col">Bytes/s</th><th scope="col">Lag, worst</th><th scope="col">Waiting</th><th scope="col">Gaps</th><th scope="col">Slow, cut</th><th scope="col">Refused</th><th scope="col">Faults</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead>
    <tbody id="instances"></tbody>
  </table>
</section>

<div class="pair">
<section aria-labelledby="topics-title">
  <h2 id="topics-title">Topics</h2>
  <table aria-labelledby="topics-title">
    <thead><tr><th scope="col">Topic</th><th scope="col">Streams</th><th scope="col">Events/s</th></tr></thead>
    <tbody id="topics"></tbody>
  </table>
  <p class="empty">No topic has a stream.</p>
</section>

<section aria-labelledby="slow-title">
  <h2 id="slow-title">Slow readers</h2>
  <table aria-labelledby="slow-title">
    <thead><tr><th scope="col">Identity</th><th scope="col">Waiting</th><th scope="col">Instance</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead>
    <tbody id="slow"></tbody>
  </table>
  <p class="empty">Everybody reads as fast as events come.</p>
</section>
</div>

<section aria-labelledby="streams-title">
  <h2 id="streams-title">Who is connected</h2>
  <form id="search">
    <label>Identity, or the id of a stream<input name="search" type="search" maxlength="200" autocomplete="off" spellcheck="false"></label>
    <button>Search</button>
  </form>
  <table aria-labelledby="streams-title">
    <thead><tr><th scope="col">Identity</th><th scope="col">Stream</th><th scope="col">Open for</th><th scope="col">Topics</th><th scope="col">Waiting</th><th scope="col">Instance</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead>
    <tbody id="streams"></tbody>
  </table>
  <p class="empty">No stream fits.</p>
  <p id="streams-state" class="told" role="status"></p>
  <button id="more" type="button" hidden>More</button>
</section>

<section aria-labelledby="trace-title">
  <h2 id="trace-title">Trace</h2>
  <form id="trace">
    <label>Identity<input name="identity" required maxlength="1024" autocomplete="off" spellcheck="false"></label>
    <button>Trace for a minute</button>
  </form>
  <p id="trace-state" class="told" role="status"></p>
  <table aria-labelledby="trace-title">
    <thead><tr><th scope="col">Time</th><th scope="col">What</th><th scope="col">Topics</th><th scope="col">Details</th><th scope="col">Instance</th></tr></thead>
    <tbody id="entries"></tbody>
  </table>
</section>
</main>
<dialog id="sure" aria-labelledby="sure-text">
  <form method="dialog">
    <p id="sure-text"></p>
    <div class="buttons"><button value="no">Cancel</button><button value="yes" class="grave">Do it</button></div>
  </form>
</dialog>
</body>
</html>
`
