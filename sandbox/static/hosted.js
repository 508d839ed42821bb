// Hands over what stands behind the # of the address, and goes on.
"use strict";
(function () {
  var form = document.querySelector("[data-fragment]");
  if (!form) { return; }
  var said = new URLSearchParams(location.hash.slice(1));
  var fields = form.querySelectorAll("input");
  for (var i = 0; i < fields.length; i += 1) { fields[i].value = said.get(fields[i].name) || ""; }
  form.submit();
}());
