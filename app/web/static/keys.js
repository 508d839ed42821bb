/* One key, one act: a digit presses the button that carries it, "n" asks for the next case. Keys
   typed into a field are text. Without this script the same buttons have access keys. */
(function () {
  "use strict";
  document.addEventListener("keydown", function (event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) { return; }
    var at = event.target;
    if (at && at.closest && at.closest("input, textarea, select, [contenteditable]")) { return; }
    if (!/^[0-9n]$/.test(event.key)) { return; }
    var button = document.querySelector("button[accesskey=\"" + event.key + "\"]");
    if (!button) { return; }
    event.preventDefault();
    button.click();
  });
}());
