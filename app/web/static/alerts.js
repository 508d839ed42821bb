/* Keeps the list of alerts true while the page is open. Without this script the page shows the
   alerts of the moment it was loaded. */
(function () {
  "use strict";
  var list = document.getElementById("alerts");
  if (!list || !window.EventSource) { return; }
  var empty = document.getElementById(list.dataset.empty);
  var count = document.querySelector("[data-count=alerts]");
  var live = document.querySelector("[data-live]");
  var liveText = document.querySelector("[data-live-text]");
  var announce = document.querySelector("[data-announce]");

  function cardOf(id) { return document.getElementById("alert-" + id); }

  function refresh() {
    var shown = list.children.length;
    empty.hidden = shown > 0;
    if (count && count.firstChild) { count.firstChild.nodeValue = String(shown); }
  }

  function state(on) {
    live.dataset.state = on ? "on" : "off";
    liveText.textContent = on ? "Live" : "Connecting again…";
  }

  function parse(event) { return JSON.parse(event.data); }

  var after = list.dataset.after;
  var source = new EventSource(list.dataset.source + (after ? "?after=" + encodeURIComponent(after) : ""));

  source.onopen = function () { state(true); };
  source.onerror = function () {
    state(false);
    // Closed for good: signed out, or the server said no. The page itself knows where to lead.
    if (source.readyState === EventSource.CLOSED) { liveText.textContent = "Reload the page"; }
  };

  source.addEventListener("sync", function (event) {
    var known = parse(event).ids;
    Array.prototype.slice.call(list.children).forEach(function (card) {
      if (known.indexOf(card.id.slice(6)) < 0) { card.remove(); }
    });
    refresh();
  });

  source.addEventListener("raised", function (event) {
    var news = parse(event);
    var box = document.createElement("template");
    box.innerHTML = news.html;
    var card = box.content.firstElementChild;
    var old = cardOf(news.id);
    if (old) {
      card.classList.remove("new");
      old.replaceWith(card);
    } else {
      list.prepend(card);
      announce.textContent = news.said;
    }
    refresh();
  });

  source.addEventListener("ended", function (event) {
    var card = cardOf(parse(event).id);
    if (!card) { return; }
    var held = card.contains(document.activeElement);
    card.remove();
    refresh();
    if (held) { document.getElementById("alerts-title").focus(); }
  });
}());
