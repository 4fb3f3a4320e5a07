/* Tells a browser that is too old for the page. Written so that any browser can run it; the name sorts it first. */
(function () {
  var css = window.CSS && CSS.supports && CSS.supports("selector(:has(a))");
  if (css && [].at && Object.hasOwn && window.AbortSignal) return;
  var words = "This browser is too old for this page: some of it will stay empty. Use Chrome or Edge 105, Firefox 121, Safari 15.4 or a newer one.";
  function tell() {
    var box = document.createElement("div");
    box.id = "old-browser";
    box.setAttribute("role", "alert");
    box.appendChild(document.createTextNode(words));
    document.body.insertBefore(box, document.body.firstChild);
  }
  if (document.body) tell();
  else document.addEventListener("DOMContentLoaded", tell);
})();
