/* The button of the page that says a symbol isn't followed: follows it, or leads to the sign-in. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});

  async function follow(button) {
    if (!gex.alerts.manages()) {
      location.assign("/login");
      return;
    }
    button.disabled = true;
    try {
      await gex.rest.send("POST", "/api/v1/symbols", { symbol: button.dataset.follow });
      location.reload();
    } catch (error) {
      button.disabled = false;
      said(button, error.message);
    }
  }

  /** What went wrong, below the button. */
  function said(button, words) {
    const node = button.parentElement.querySelector(".wrong") || button.after(document.createElement("p")) || button.nextElementSibling;
    node.className = "wrong";
    node.setAttribute("role", "alert");
    node.textContent = words;
  }

  if (typeof document !== "undefined") {
    document.addEventListener("click", ({ target }) => {
      const button = target.closest?.("[data-follow]");
      if (button) follow(button);
    });
  }
})();
