// Looks for a new text now and then and shows it, unless somebody is typing.
"use strict";
(function () {
  var root = document.querySelector("[data-news]");
  if (!root) { return; }
  var mark = root.getAttribute("data-mark");
  var clocks = document.querySelectorAll("[data-clock]");
  function look() {
    var field = document.querySelector("[data-reply]");
    var typing = field && field.value !== "";
    var ask = new XMLHttpRequest();
    ask.open("GET", root.getAttribute("data-news"));
    ask.onload = function () {
      if (ask.status !== 200) { return; }
      var said = JSON.parse(ask.responseText);
      for (var i = 0; i < clocks.length; i += 1) { clocks[i].textContent = said.clock; }
      if (said.mark !== mark && !typing) { location.reload(); }
    };
    ask.send();
  }
  setInterval(look, 2000);
}());
