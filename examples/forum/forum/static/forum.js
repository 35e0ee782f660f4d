// Optional features: every page works without this script.

live(document.querySelector("[data-live]"));
searchWhileTyping(document.querySelector("form[data-into]"));
theme(document.querySelector("#theme"));

// New posts of a thread arrive as markup, one event each, and go below the others.
function live(posts) {
  if (!posts) return;
  const source = new EventSource(posts.dataset.live);
  const sign = document.querySelector(".live");
  source.addEventListener("open", () => (sign.hidden = false));
  source.addEventListener("error", () => (sign.hidden = true)); // the browser reconnects
  source.addEventListener("post", ({ data, lastEventId }) => {
    if (document.getElementById(`post-${lastEventId}`)) return;
    posts.insertAdjacentHTML("beforeend", data);
    posts.lastElementChild.classList.add("new");
  });
}

// During input, the results of the search are replaced, and the URL is updated.
function searchWhileTyping(form) {
  if (!form) return;
  const results = document.getElementById(form.dataset.into);
  let timer, asked;
  async function ask() {
    const address = `${form.action}?${new URLSearchParams(new FormData(form))}`;
    asked?.abort();
    asked = new AbortController();
    try {
      const response = await fetch(address, { headers: { "x-part": "results" }, signal: asked.signal });
      if (!response.ok) return;
      results.innerHTML = await response.text();
      history.replaceState(null, "", address);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  }
  addEventListener("pagehide", () => asked?.abort());
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 150);
  });
}

// Light, dark, or the setting of the system. The first script of the layout applies it before rendering.
function theme(button) {
  const themes = ["auto", "light", "dark"];
  const root = document.documentElement;
  const show = () => (button.firstElementChild.textContent = root.dataset.theme);
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = localStorage.theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
    show();
  });
  show();
}
