// The lake's upper part is fetched anew every 3 seconds; without this script a reload does the same.
"use strict";
const live = document.getElementById("live");
if (live) {
  setInterval(async () => {
    if (document.hidden || live.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href);
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live");
      if (fresh) live.replaceChildren(...fresh.childNodes);
    } catch (error) {
      console.warn("The page could not be fetched anew:", error);
    }
  }, 3000);
}
